"""Zero-shot trials: class names tried on a sample of a dataset before a job is made of them."""
