"""`pouf predict`: files, folders, tables and texts classified by a model here or at a service."""
