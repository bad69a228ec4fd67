"""Features that frozen encoders gave, kept in memory or on disk, so that no item is encoded twice."""
