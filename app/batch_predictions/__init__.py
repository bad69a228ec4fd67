"""`/v1/batch-predictions`: a dataset predicted by a model that was adapted before."""
