"""Reading untrusted files in a process of its own, which answers in rows: of texts, of labels, and about embeddings."""
