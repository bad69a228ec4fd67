"""Predictions of a dataset by a model that was adapted before."""
