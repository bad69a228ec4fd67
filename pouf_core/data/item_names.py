"""What the names of archive members and uploads mean. They are never used as paths on disk."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pouf_core.contract.rejections import SkipReason
from pouf_core.data.ignored_files import left_behind
from pouf_core.data.shown_text import showable

_DRIVE = re.compile(r"^[A-Za-z]:")
LONGEST_NAME = 1024


@dataclass(frozen=True)
class ItemName:
    """A name taken apart: `parts` are directories and file name, `text` is fit to be stored and shown."""

    text: str
    parts: tuple[str, ...]
    unsafe: bool

    @property
    def skipped(self) -> SkipReason | None:
        """Why it is passed over, as `left_behind` says; an unsafe name never is."""
        return None if self.unsafe else left_behind(self.parts)

    @property
    def file_name(self) -> str:
        """The last part; empty when there is none."""
        return self.parts[-1] if self.parts else ""

    def row(self, position: int, own: str | None = None) -> ItemName:
        """The name of a row of this file, which lies where the file does; `own` is what the file calls it."""
        text = f"{self.text}:{position}" if own is None else showable(own)
        return ItemName(text[-LONGEST_NAME:], self.parts, self.unsafe)


def parse_name(raw: str) -> ItemName:
    """Take a name apart. Absolute names and names that climb out of their archive are unsafe.

    Of a long name its end is kept; what cannot be shown becomes U+FFFD.
    """
    # Databases do not store the surrogates of undecodable bytes.
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    slashed = text.replace("\\", "/")
    unsafe = slashed.startswith("/") or _DRIVE.match(slashed) is not None or ".." in slashed.split("/")
    shown = showable(text[-LONGEST_NAME:])
    parts = tuple(part for part in shown.replace("\\", "/").split("/") if part not in ("", "."))
    return ItemName(shown, parts, unsafe)
