"""What the names of archive members and uploads mean. They are never used as paths on disk."""

from __future__ import annotations

import re
from dataclasses import dataclass

OTHER_ARCHIVE_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tbz2", ".txz")
LABELS_FILE = "labels.csv"

_IGNORED = {"__macosx", "thumbs.db", "desktop.ini"}
_DRIVE = re.compile(r"^[A-Za-z]:")
_MAX_LENGTH = 1024


@dataclass(frozen=True)
class ItemName:
    """A name taken apart: `parts` are directories and file name, `text` is fit to be stored and shown."""

    text: str
    parts: tuple[str, ...]
    unsafe: bool

    @property
    def ignored(self) -> bool:
        """Hidden files and what operating systems leave behind."""
        return any(part.startswith(".") or part.lower() in _IGNORED for part in self.parts)

    @property
    def is_labels(self) -> bool:
        """Whether this is the table of evaluation labels."""
        return bool(self.parts) and self.parts[-1].lower() == LABELS_FILE

    def ends_with(self, suffixes: tuple[str, ...]) -> bool:
        """Whether the file name has one of the (lower-case) suffixes."""
        return bool(self.parts) and self.parts[-1].lower().endswith(suffixes)


def parse_name(raw: str) -> ItemName:
    """Take a name apart. Absolute names and names that climb out of their archive are unsafe."""
    # Databases store neither the surrogates of undecodable bytes nor NUL.
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    slashed = text.replace("\\", "/")
    parts = tuple(part for part in slashed.split("/") if part not in ("", "."))
    unsafe = slashed.startswith("/") or _DRIVE.match(slashed) is not None or ".." in parts
    return ItemName(text[-_MAX_LENGTH:], parts, unsafe)
