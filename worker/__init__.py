"""Background work: ingestion of uploads, training jobs, and the reaper that loses nothing."""
