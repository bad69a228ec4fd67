"""Predictions of a whole dataset: made some items at a time, kept in one file, read without being loaded."""
