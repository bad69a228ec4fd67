"""Datasets: uploads, their items, and their end."""
