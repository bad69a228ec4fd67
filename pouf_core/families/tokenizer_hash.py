"""The hash of a Hugging Face tokenizer: what base models share that read texts alike."""

from __future__ import annotations

import hashlib
from typing import Any


def tokenizer_hash(tokenizer: Any) -> str:
    """SHA-256 (hex) of all that a tokenizer knows."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    known = str(sorted(tokenizer.get_vocab().items())) if backend is None else backend.to_str()
    return hashlib.sha256(f"{type(tokenizer).__name__} {known}".encode()).hexdigest()
