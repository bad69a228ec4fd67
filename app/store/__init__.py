"""Database and object storage, shared by the API and the workers."""
