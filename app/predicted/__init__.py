"""Predictions of a whole dataset as they are answered: in pages, or as a file in one of several formats."""
