"""Base models: what can be adapted here, and templates of known text tasks."""
