from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pouf_core.data.embedding_files import EmbeddingFile, FileLimits, read_embeddings
from tests.pouf_core.data.embedding_contents import MIB, Read


@pytest.fixture
def read_vectors(tmp_path: Path) -> Read:
    def write_and_read(content: bytes, suffix: str, **limits: Any) -> EmbeddingFile:
        path = tmp_path / f"stored{suffix}"
        path.write_bytes(content)
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        given = {"rows": 10_000, "unpacked_bytes": 64 * MIB, "memory_bytes": 512 * MIB, "cpu_seconds": 20, **limits}
        return read_embeddings(path, f"vectors{suffix}", FileLimits(scratch=scratch, **given))

    return write_and_read
