"""Webhooks: where job transitions are told to."""
