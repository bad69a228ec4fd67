"""Adapted models and their movable names."""
