"""Pages about a job for people to read."""
