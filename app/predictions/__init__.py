"""Predictions with adapted models."""
