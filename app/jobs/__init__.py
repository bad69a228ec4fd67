"""Adaptation jobs, their events, numbers and report."""
