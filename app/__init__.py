"""The service's API process and the store it shares with the workers."""
