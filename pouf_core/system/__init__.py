"""The process that adapts: device, threads, random state, memory."""
