"""The pictures in tables, as if each were a file, for uploads and for the library alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.members import Refused, UnpackedBytes, too_large, too_many_entries
from pouf_core.data.file_kinds import arrow_form, is_named_for_labels
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.picture_tables import PictureRow
from pouf_core.data.reading.pictures import pictures_of
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.sheets import ReadingLimits, kind_of_table, require_parquet
from pouf_core.errors import InvalidInput

_NO_PICTURE = "The row has no picture{}. Write the table with the pictures' bytes, or send the files."


@dataclass(frozen=True)
class Pictured:
    """A picture of a table: its file, and its label where there is one."""

    name: ItemName
    data: bytes
    label: str | None


def is_table_of_pictures(path: Path, name: ItemName, limits: ReadingLimits) -> bool:
    """Whether a file is a table of columns with pictures in one of them.

    Raises:
        InvalidInput: `parquet_not_installed`.
    """
    form = arrow_form(name.file_name)
    if form is None:
        return False
    if find_spec("pyarrow") is None and not is_named_for_labels(name.file_name):
        require_parquet(f".{form}")
    return kind_of_table(path, form, limits) == "image"


def pictures_in_table(
    reader: FileReader,
    path: Path,
    name: ItemName,
    limits: ArchiveLimits,
    label_column: str | None = None,
    *,
    on_unclear: Callable[[InvalidInput], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Pictured | Refused]:
    """The pictures of a table, as the files of an archive are read.

    Each is called by its path, or as the table calls it, where none before is called so, else by its row.

    Args:
        reader: reads the file, in a process that ends with it.
        path, name: of the file.
        limits: of the pictures, and of what the file may unpack to.
        label_column: as for `read_pictures`.
        on_unclear: told of why no picture has a label.
        check: called at every picture; raises to end.

    Raises:
        InvalidInput: as `pictures_of`.
        ArchiveError: the file goes beyond a limit; what came before is good.
    """
    form = arrow_form(name.file_name)
    assert form is not None
    unpacked, called = UnpackedBytes(limits.unpacked_bytes(path.stat().st_size), check), set[str]()
    with reader.another() as own:
        for row in pictures_of(own, path, form, label_column, limits.item_bytes, on_unclear):
            if row.position > limits.archive_entries:
                raise too_many_entries(limits)
            unpacked.count(row.size or 0)
            yield _found(row, _name(row, name, called), limits)


def _name(row: PictureRow, table: ItemName, called: set[str]) -> ItemName:
    own = None if row.name is None else parse_name(row.name)
    if own is None or not own.parts or own.text in called:
        return parse_name(f"{table.text}:{row.position}")
    called.add(own.text)
    return own


def _found(row: PictureRow, name: ItemName, limits: ArchiveLimits) -> Pictured | Refused:
    if row.content is not None:
        return Pictured(name, row.content, row.label)
    if row.size is not None:
        return too_large(name, limits)
    where = f", only its path {row.name[:100]!r}" if row.name else ""
    return Refused(name, "no_picture", _NO_PICTURE.format(where))
