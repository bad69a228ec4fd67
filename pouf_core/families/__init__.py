"""The families of base models, and the registry that knows them."""
