"""Answering predictions: a batcher that models share, a cache of loaded models, and the engine that joins them."""
