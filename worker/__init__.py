"""Background work: ingestion of uploads, training jobs, webhooks, and the reaper."""
