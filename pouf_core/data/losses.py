"""What of the data could not be used: counted by cause, and told of where it is more than a little."""

from __future__ import annotations

import codecs
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from pouf_core.contract.findings import Finding, finding, sentence
from pouf_core.contract.rejections import RejectionGroup
from pouf_core.data.encodings import likeliest_encoding

TOLERATED_SHARE = 0.01
"""Of the items; beyond it a loss is told of."""
#: Of rows that are not in the encoding of their file, for theirs to be guessed.
GUESSED_BYTES = 65_536
_MOST_WARNINGS = 5
_LONGEST_MESSAGE = 500
_SHOWN = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "ascii": "ASCII"}
_SHOWN |= {f"cp{number}": f"Windows-{number}" for number in range(1250, 1259)}

Lost = Literal["nothing", "item", "rest"]
"""What is lost with a rejection: nothing (a blank line), one item, or a file, or the rest of it, of unknown size."""


@dataclass(frozen=True)
class Undecoded:
    """Bytes that are not in the encoding of their file.

    Attributes:
        content: those of the whole text.
        encoding: that of the file, as Python knows it.
    """

    content: bytes
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Rejected:
    """A file, a text or a row that could not be used, and why; `lost` and `undecoded` are as for `Losses.note`."""

    name: str
    code: str
    message: str
    lost: Lost = "item"
    undecoded: Undecoded | None = None


@dataclass
class _Cause:
    """The rejections of one code that lose alike."""

    example_name: str
    message: str
    count: int = 0
    encoding: str | None = None
    content: bytearray = field(default_factory=bytearray)

    def guess(self) -> str | None:
        """The encoding that rows look like which are not in that of their file."""
        found = likeliest_encoding(bytes(self.content)) if self.content else None
        if found is None or self.encoding is None:
            return None
        same = found.name == codecs.lookup(self.encoding).name.removesuffix("-sig")
        return None if same else shown_encoding(found.name)


class Losses:
    """Counts rejections, each when it is found; takes no more memory for many."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, Lost, bool], _Cause] = {}

    def note(self, name: str, code: str, message: str, lost: Lost = "item", undecoded: Undecoded | None = None) -> None:
        """Count a rejection.

        Args:
            name: of the file, or of the file and row.
            code, message: why.
            lost: what is lost with it.
            undecoded: where it is not in the encoding of its file, what is.
        """
        cause = self._causes.setdefault((code, lost, undecoded is not None), _Cause(name, message[:_LONGEST_MESSAGE]))
        cause.count += 1
        if undecoded is not None and len(cause.content) < GUESSED_BYTES:
            cause.encoding = undecoded.encoding
            cause.content += undecoded.content[:GUESSED_BYTES] + b"\n"

    def count(self, *codes: str) -> int:
        """How many rejections have one of these codes."""
        return sum(cause.count for (code, *_), cause in self._causes.items() if code in codes)

    def groups(self) -> list[RejectionGroup]:
        """The rejections of each code, the most frequent first."""
        counts: Counter[str] = Counter()
        first: dict[str, _Cause] = {}
        for (code, *_), cause in self._causes.items():
            counts[code] += cause.count
            first.setdefault(code, cause)
        return [
            RejectionGroup(code=code, count=count, example_name=first[code].example_name, message=first[code].message)
            for code, count in counts.most_common()
        ]

    def warnings(self, used: int, items: str = "items", tolerated: float = TOLERATED_SHARE) -> list[Finding]:
        """What a person should know: which files were left out, and why items were where too many were.

        Args:
            used: items that were accepted, or would have been if they had not been there already.
            items: what a message calls them.
            tolerated: share of all items that may be lost without a word.
        """
        causes = sorted(self._causes.items(), key=lambda cause: -cause[1].count)
        files = [_file_warning(cause) for (_, lost, _), cause in causes if lost == "rest"]
        single = [cause for (_, lost, _), cause in causes if lost == "item"]
        rejected = sum(cause.count for cause in single)
        total = used + rejected
        if rejected <= tolerated * total:
            single = []
        return (files + [_item_warning(cause, total, items) for cause in single])[:_MOST_WARNINGS]


def _file_warning(cause: _Cause) -> Finding:
    what = "A file was not read, or not to its end"
    if cause.count > 1:
        what = f"{cause.count:,} files were not read, or not to their end"
    return finding("files_rejected", sentence(f"{what}: {cause.example_name}: {cause.message}"))


def _item_warning(cause: _Cause, total: int, items: str) -> Finding:
    share = f"{cause.count:,} of {total:,} {items}"
    if cause.encoding is None:
        message = f"{share} could not be used, {cause.example_name} for one: {cause.message}"
        return finding("items_rejected", sentence(message))
    guess = cause.guess()
    wrong = f"{share} cannot be read as {shown_encoding(cause.encoding)}"
    if guess is None:
        return finding("items_rejected", f"{wrong}. Save the file as UTF-8.")
    advice = "Upload it again with that as `encoding`, or, where only some rows are, save it as UTF-8."
    return finding("items_rejected", f"{wrong}; the file looks like {guess}. {advice}")


def shown_encoding(name: str) -> str:
    """An encoding as people know it."""
    return _SHOWN.get(name, name)
