"""Messages of a chat as WhatsApp exports them: a time and a name before each, which may have several lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pouf_core.data.table_rows import LONGEST_LINE
from pouf_core.data.text_rows import BadRow, Row, row_of

_MARKS = "\u200e\u200f\ufeff"  # of the direction of writing, which iPhones put before lines
_STAMP = re.compile(
    rf"[{_MARKS}]*\[?\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}},? \d{{1,2}}[:.]\d{{2}}(?:[:.]\d{{2}})?"
    r"(?:\s?[AaPp]\.?\s?[Mm]\.?)?(?:\]| -) (?P<said>.*)",
    re.DOTALL,
)
_BY = re.compile(r"(?P<who>[^:]{1,60}): (?P<text>.*)", re.DOTALL)
_LEFT_OUT = re.compile(rf"[{_MARKS}]*(?:<[^<>]+>|[^:]{{2,20}} omitted)\s*")
_MOST = 0.5  # of the first lines that are not empty


@dataclass
class _Message:
    """Its lines, and how many characters they have; of one that is too long, the first ones."""

    position: int
    lines: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, line: str) -> None:
        if not self.is_too_long:
            self.lines.append(line)
            self.size += len(line)

    @property
    def is_too_long(self) -> bool:
        return self.size > LONGEST_LINE


def are_of_a_chat(head: str) -> bool:
    """Whether lines are messages, by the file's beginning: the first line is one, and so are half or more."""
    lines = [line for line in head.splitlines() if line.strip()]
    if len(lines) < 2 or not _STAMP.match(lines[0]):
        return False
    return sum(_STAMP.match(line) is not None for line in lines) >= _MOST * len(lines)


def rows_of_chat(lines: Iterable[tuple[int, str | BadRow]]) -> Iterator[Row]:
    """The texts of the messages, without times and names; what the program says itself is none, and no loss."""
    message: _Message | None = None
    for position, line in lines:
        if isinstance(line, BadRow):
            yield line
        elif (begun := _STAMP.match(line)) is not None:
            if message is not None:
                yield _row(message)
            message = _Message(position)
            message.add(begun["said"])
        elif message is not None:
            message.add(line)
    if message is not None:
        yield _row(message)


def _row(message: _Message) -> Row:
    if message.is_too_long:
        return BadRow(message.position, "text_too_long", f"The message has more than {LONGEST_LINE:,} characters.")
    found = _BY.match("".join(message.lines))
    if found is None or _LEFT_OUT.fullmatch(found["text"]):
        said = "It is a note of the chat program, or stands for what is not in the file."
        return BadRow(message.position, "no_text", said, lost="nothing")
    return row_of(message.position, found["text"].lstrip(_MARKS))
