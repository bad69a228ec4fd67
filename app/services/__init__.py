"""What the service does, one file a resource; HTTP stays in `app.api`, queries in `app.store.repositories`."""
