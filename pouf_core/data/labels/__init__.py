"""Evaluation labels: found in files and folders, the same way for uploads and for folders that the library reads."""
