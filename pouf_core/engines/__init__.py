"""Engines that run frozen encoders faster than PyTorch, and the check that they agree with it."""
