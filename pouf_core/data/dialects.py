"""How a table is written: its delimiter and quotes, told by DuckDB from its beginning, and checked against it."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile, zip_longest

from pouf_core.data.headings import FILES, LABELS, RATINGS, TEXTS, folded
from pouf_core.data.text_tables import column_named, is_number, recur
from pouf_core.data.tied_run import run_tied

logger = logging.getLogger(__name__)

SNIFFED_CHARACTERS = 65_536
SNIFFED_ROWS = 200
_DELIMITERS = ",;\t|"
_HEADINGS = frozenset((*TEXTS, *LABELS, *RATINGS, *FILES))
_MODULE = "pouf_core.data.dialect_process"
_MEMORY, _CPU_SECONDS, _CLOCK_SECONDS = 2**30, 10.0, 180.0
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)
_QUOTED = r'"(?:[^"\\]|\\.|"")*"'
_A_CELL_OF_R = rf"{_QUOTED}|[-+]?[\d.]+(?:[eE][-+]?\d+)?|TRUE|FALSE|NA|NaN|-?Inf"
_CELL_OF_R = re.compile(_A_CELL_OF_R)
_OF_R = re.compile(rf"(?:{_A_CELL_OF_R})(?: (?:{_A_CELL_OF_R}))*")  # `write.table` puts texts in quotes, nothing else
_ESCAPED_QUOTE = '\\"'
_NOTE = "#"
_PROSE_SHARE = 0.9  # of a delimiter's places that a space follows, as it does in prose


@dataclass(frozen=True)
class Dialect:
    """How the rows of a table are written.

    Attributes:
        delimiter: between cells; empty where a row is one cell.
        quote: around cells; empty where there are no quotes.
        escape: before a quote within a cell; empty where it is doubled.
        skipped: lines before the table.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    skipped: int = 0

    def rows(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The cells of every row.

        Raises:
            csv.Error: a quote that is never closed, or a cell that is too long.
        """
        return csv.reader(
            lines,
            delimiter=self.delimiter or "\0",  # which no text holds
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            doublequote=not self.escape,
            escapechar=self.escape or None,
        )


def divides_cells(delimiter: str) -> bool:
    """Whether a delimiter that a caller gives can be one: one character, neither a quote nor an end of lines."""
    return len(delimiter) == 1 and delimiter not in '\r\n"\0'


def dialect_of(head: str, delimiter: str | None = None, columns: Sequence[str] = ()) -> Dialect:
    """The dialect of a table.

    A first line such as `sep=;` says the delimiter, and is no row. Spaces divide cells where texts are quoted.

    Args:
        head: the table's first whole lines.
        delimiter: as a caller gives it.
        columns: names or numbers of columns that a caller asks for.
    """
    said = _SEPARATOR_LINE.fullmatch(head.splitlines(keepends=True)[0]) if head else None
    if said or delimiter:
        return Dialect(delimiter or (said.group(1) if said else ","), skipped=int(said is not None))
    if divided_by_spaces(head):
        return Dialect(" ", escape="\\" if _ESCAPED_QUOTE in head else "")
    return _behind_notes(head, columns) or _checked(_sniffed(head), head, columns)


def _behind_notes(head: str, columns: Sequence[str]) -> Dialect | None:
    """The dialect of a table behind lines of notes, which begin with #; None of others.

    Its headings may begin so too, and so may texts, whose first word is a hashtag then.
    """
    lines = head.splitlines(keepends=True)
    notes = list(takewhile(lambda line: line.startswith(_NOTE), lines))
    if not notes or len(notes) == len(lines):
        return None
    found = dialect_of("".join(lines[len(notes) :]), columns=columns)
    first = next(found.rows(lines[len(notes) :]))
    skipped = len(list(takewhile(lambda line: _is_note(next(found.rows([line])), len(first)), notes)))
    return replace(found, skipped=found.skipped + skipped) if len(first) > 1 and skipped else None


def _is_note(cells: Sequence[str], width: int) -> bool:
    if len(cells) != width:
        return True
    return cells[0][1:2] in (" ", _NOTE) and not any(folded(cell.lstrip("# ")) in _HEADINGS for cell in cells)


def divided_by_spaces(head: str) -> bool:
    """Whether a table's first lines are as R writes them: cells with a space between, texts in quotes.

    The first line may have a cell less, where the others begin with the name of a row.
    """
    lines = [line for line in head.splitlines() if line.strip()]
    lines = (lines[:-1] if len(lines) > 2 else lines)[: SNIFFED_ROWS - 1]  # the last one may be cut
    if len(lines) < 2 or '"' not in lines[1] or not all(map(_OF_R.fullmatch, lines)):
        return False
    first, *others = (len(_CELL_OF_R.findall(line)) for line in lines)
    return set(others) == {others[0]} and others[0] > 1 and first in (others[0], others[0] - 1)


def _sniffed(head: str) -> Dialect:
    """What DuckDB says; comma-separated where it cannot tell.

    Raises:
        OSError: there is no place to work in; what is written so cannot be told by that.
    """
    try:
        given = head.encode("utf-8", "replace")
        ran = run_tied(_MODULE, str(_MEMORY), str(_CPU_SECONDS), seconds=_CLOCK_SECONDS, given=given)
        ran.check_returncode()
        said = json.loads(ran.stdout)
        if "errno" in said:
            raise OSError(said["errno"], said["strerror"])
    except (subprocess.SubprocessError, ValueError) as error:
        reason = (
            error.stderr[-500:].decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else error
        )
        logger.warning("The dialect of a table cannot be told, and it is read as comma-separated: %s", reason)
        return Dialect()
    quote = said["quote"] or ("" if '"' in head else '"')  # the first quoted cell may come later
    escape = said["escape"] if said["escape"] != said["quote"] else ""
    return Dialect(said["delimiter"], quote, escape, int(said["skipped"]))


def _checked(found: Dialect, head: str, columns: Sequence[str]) -> Dialect:
    """The dialect, unless it would cut prose into cells, leave rows whole, or skip rows that are the table's own."""
    first = head.partition("\n")[0]
    if not found.delimiter or found.delimiter not in first:
        for other in _DELIMITERS:
            if _is_of_headings(first.split(other)):
                return Dialect(other)  # whose texts may hold it without quotes: such rows are refused one by one
    if found.delimiter not in first:
        for other in _DELIMITERS:
            if other in first and _fits(Dialect(other), head):
                return Dialect(other)
        if _is_prose(head, found.delimiter):
            return replace(found, delimiter="", skipped=0)
    elif '"' not in head and _is_prose(head, found.delimiter) and not _says_anything(found, head, columns):
        return replace(found, delimiter="", skipped=0)
    if 2 * found.skipped >= head.count("\n") or _skips_headings(found, head):
        return replace(found, skipped=0)
    return found


def _is_of_headings(cells: Sequence[str]) -> bool:
    """Whether a line names a column of texts, and another one."""
    names = {folded(cell) for cell in cells}
    return not names.isdisjoint(TEXTS) and len(names & _HEADINGS) > 1


def _skips_headings(dialect: Dialect, head: str) -> bool:
    """Whether the one line that is skipped is of headings, fewer than the rows have cells: commas cut these."""
    if dialect.skipped != 1:
        return False
    line = head.partition("\n")[0].strip()
    cells = line.split(dialect.delimiter)
    return len(cells) > 1 and all(cell and not cell.startswith((" ", _NOTE)) for cell in cells)


def _fits(dialect: Dialect, head: str) -> bool:
    """Whether no row has more cells than the first, and most have as many, or all have two or more."""
    try:
        rows = list(dialect.rows(io.StringIO(head, newline="")))
    except csv.Error:
        return False
    widths = [len(row) for row in rows if row]
    return max(widths) == widths[0] and (min(widths) > 1 or 2 * widths.count(widths[0]) > len(widths))


def _says_anything(dialect: Dialect, head: str, asked: Sequence[str]) -> bool:
    """Whether cells are more than parts of sentences: a heading that is usual or asked for, numbers, or what recurs."""
    first, *body = [row for row in dialect.rows(io.StringIO(head, newline="")) if row]
    if any(folded(cell) in _HEADINGS for cell in first) or any(column_named(first, one) is not None for one in asked):
        return True
    columns = [[cell.strip() for cell in column if cell.strip()] for column in zip_longest(*body, fillvalue="")]
    return any(recur(column) or (column and all(map(is_number, column))) for column in columns)


def _is_prose(text: str, delimiter: str) -> bool:
    places = text.count(delimiter)
    return places == 0 or text.count(f"{delimiter} ") >= _PROSE_SHARE * places
