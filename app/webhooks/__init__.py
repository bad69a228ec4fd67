"""Webhooks: URLs that job transitions are sent to."""
