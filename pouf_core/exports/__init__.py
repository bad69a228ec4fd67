"""Adapted models in forms that other software reads: each export is a directory that needs nothing of this project."""
