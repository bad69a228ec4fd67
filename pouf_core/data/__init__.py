"""The target data: pictures and texts as items, their files, and the process that decodes pictures."""
