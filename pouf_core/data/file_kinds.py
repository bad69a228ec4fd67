"""Which files are archives and which hold texts or embeddings, by content and by name. This alone is asked."""

from __future__ import annotations

from typing import Literal, cast

ArchiveKind = Literal["zip", "tar", "gzip", "bzip2", "xz", "other"]
ArrowForm = Literal["parquet", "arrow", "feather"]

PARQUET_SUFFIX = ".parquet"
#: Tables that are read cell by cell, without a dialect or an encoding.
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
#: As Hugging Face's `datasets` saves them to disk, and pandas as Feather.
ARROW_SUFFIXES = (".arrow", ".feather")
#: Tables of pictures, texts or embeddings: their names do not tell which.
COLUMN_SUFFIXES = (PARQUET_SUFFIX, *ARROW_SUFFIXES)
SHEET_SUFFIXES = (*WORKBOOK_SUFFIXES, *COLUMN_SUFFIXES)
#: Of texts, those of which a beginning can be read.
LINE_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson")
TEXT_SUFFIXES = (*LINE_SUFFIXES, ".json", *SHEET_SUFFIXES)
#: Of pictures that can be read, by which an archive of pictures is known.
PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pnm", ".avif", ".heic", ".heif", ".mpo"),
)
#: Raw pictures of cameras. What an ordinary decoder finds in one is a small preview.
RAW_SUFFIXES = (".nef", ".cr2", ".cr3", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw")
EMBEDDING_SUFFIXES = (".npy", ".npz", ".safetensors", PARQUET_SUFFIX)
#: Of files with many items, which may be larger than one of them, in archives too; a `.npz` is one itself.
OF_MANY_SUFFIXES = tuple({*TEXT_SUFFIXES, *EMBEDDING_SUFFIXES} - {".npz"})
#: Names by which a file says that it is one of labels, without the suffix, in the order in which they count.
NAMES_OF_LABELS = ("labels", "metadata")
#: The table of evaluation labels that lies beside pictures.
LABELS_FILE = "labels.csv"
#: Archives that can be read, by suffix; of each kind the first is the usual one.
ARCHIVE_SUFFIXES: dict[str, ArchiveKind] = {
    ".zip": "zip",
    ".tar": "tar",
    ".tar.gz": "gzip",
    ".tgz": "gzip",
    ".tar.bz2": "bzip2",
    ".tbz2": "bzip2",
    ".tbz": "bzip2",
    ".tar.xz": "xz",
    ".txz": "xz",
}
#: How a single file may be packed, by suffix behind its own.
PACKED_SUFFIXES: dict[str, ArchiveKind] = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}
#: Archives and compressed files that cannot be read.
OTHER_ARCHIVE_SUFFIXES = (
    *(".zst", ".7z", ".rar", ".lzma", ".lz4", ".cab", ".arj", ".z", ".lz", ".iso"),
    *(".dmg", ".cpio", ".xar", ".sit", ".lzh"),
)
#: Parts of archives, and what scanners and cameras number so.
PART_SUFFIXES = (
    *(f".{number:03}" for number in range(1, 100)),
    *(f".{letter}{number:02}" for letter in "zr" for number in range(100)),
)
#: Documents that are zips by their content, and what PyTorch saves.
DOCUMENT_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".docx", ".pptx", ".ods", ".odt", ".epub", ".pt", ".pth")
#: `archive_kind` looks at no more of a file.
HEAD_BYTES = 512

_MAGIC: dict[bytes, ArchiveKind] = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x1f\x8b": "gzip"}
_MAGIC |= {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_OTHER_MAGIC = (
    *(b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"),
    *(b"\x1f\x9d", b"LZIP\x01", b"MSCF\0\0\0\0", b"xar!\0", b"PK\x07\x08"),  # the last of a first part of several
)
_TAR_MAGIC, _TAR_MAGIC_OFFSET = b"ustar", 257


def archive_kind(head: bytes) -> ArchiveKind | None:
    """The kind of archive by a file's first `HEAD_BYTES` bytes; None when they are no archive's."""
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if is_tar(head):
        return "tar"
    return "other" if head.startswith(_OTHER_MAGIC) else None


def archive_kind_by_name(name: str) -> ArchiveKind | None:
    """What a file claims to be by its name, for archives whose content does not begin with a known mark."""
    lowered = name.lower()
    for suffix, kind in ARCHIVE_SUFFIXES.items():
        if lowered.endswith(suffix):
            return kind
    return "other" if lowered.endswith(OTHER_ARCHIVE_SUFFIXES) else None


def arrow_form(name: str) -> ArrowForm | None:
    """Which table of columns a file is by its name; None where it is none."""
    lowered = name.lower()
    suffix = next((suffix for suffix in COLUMN_SUFFIXES if lowered.endswith(suffix)), None)
    return cast(ArrowForm, suffix.removeprefix(".")) if suffix else None


def is_tar(head: bytes) -> bool:
    """Whether a file is a tar by its first `HEAD_BYTES` bytes; very old ones have no mark."""
    return head.startswith(_TAR_MAGIC, _TAR_MAGIC_OFFSET)


def is_named_for_labels(name: str) -> bool:
    """Whether a file says by its name that it is one of labels."""
    return name.lower().rpartition(".")[0] in NAMES_OF_LABELS


def unpacked_name(name: str) -> str:
    """The name of a file without what says that it is packed: `texts.csv` of `texts.csv.gz`; archives keep theirs."""
    lowered = name.lower()
    suffix = next((suffix for suffix in PACKED_SUFFIXES if lowered.endswith(suffix)), None)
    return name if suffix is None or archive_kind_by_name(name) else name[: -len(suffix)]
