"""Audits: some items of a job's dataset, reviewed by people, and what their answers measure."""
