"""What requests may contain and what answers look like, one file a resource."""
