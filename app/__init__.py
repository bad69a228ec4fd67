"""The API: a process that answers HTTP requests and serves predictions."""
