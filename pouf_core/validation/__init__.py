"""Whether an adaptation can be trusted, told without labels: see docs/trust.md."""
