"""Every query of the API, one file a resource."""
