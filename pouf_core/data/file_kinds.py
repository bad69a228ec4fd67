"""Which files are archives and which hold texts or embeddings, by content and by name. This alone is asked."""

from __future__ import annotations

from typing import Literal

ArchiveKind = Literal["zip", "tar", "gzip", "other"]

TEXT_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".json")
EMBEDDING_SUFFIXES = (".npy", ".npz", ".safetensors", ".parquet")
#: The table of evaluation labels that lies beside pictures.
LABELS_FILE = "labels.csv"
#: What can be read, by suffix.
ARCHIVE_SUFFIXES: dict[str, ArchiveKind] = {".zip": "zip", ".tar": "tar", ".tar.gz": "gzip", ".tgz": "gzip"}
#: Archives and compressed files that cannot be read.
OTHER_ARCHIVE_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tbz2", ".txz")
#: `archive_kind` looks at no more of a file.
HEAD_BYTES = 512

_MAGIC: dict[bytes, ArchiveKind] = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x1f\x8b": "gzip"}
_OTHER_MAGIC = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_TAR_MAGIC, _TAR_MAGIC_OFFSET = b"ustar", 257


def archive_kind(head: bytes) -> ArchiveKind | None:
    """The kind of archive by a file's first `HEAD_BYTES` bytes; None when they are no archive's."""
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head.startswith(_TAR_MAGIC, _TAR_MAGIC_OFFSET):
        return "tar"
    return "other" if head.startswith(_OTHER_MAGIC) else None


def archive_kind_by_name(name: str) -> ArchiveKind | None:
    """What a file claims to be by its name, for archives whose content does not begin with a known mark."""
    lowered = name.lower()
    for suffix, kind in ARCHIVE_SUFFIXES.items():
        if lowered.endswith(suffix):
            return kind
    return "other" if lowered.endswith(OTHER_ARCHIVE_SUFFIXES) else None
