"""Database, object storage, settings and names that the API and the workers share."""
