"""The pictures in tables among the files of a folder or an archive, as the library reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from pouf_core.data.archives.members import ArchiveError, Refused
from pouf_core.data.file_kinds import arrow_form
from pouf_core.data.item_names import ItemName
from pouf_core.data.losses import Rejected
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.sheets import USUAL_LIMITS, kind_of_table
from pouf_core.data.source_files import LIBRARY_LIMITS, SourceFile, SourceFiles
from pouf_core.data.tables_of_pictures import is_table_of_pictures, pictures_in_table
from pouf_core.errors import InvalidInput

OnUnclear = Callable[[str, ItemName, InvalidInput], None]
"""Told of the source and the name of a table, and of why no picture of it has a label."""


def _heard_by_nobody(source: str, name: ItemName, error: InvalidInput) -> None:
    pass


def with_pictures_of_tables(
    files: SourceFiles, label_column: str | None = None, on_unclear: OnUnclear = _heard_by_nobody
) -> Iterator[SourceFile]:
    """The files, and in place of each table of pictures these, as if each were a file.

    Args:
        files: learns of what was rejected.
        label_column, on_unclear: of tables that hold labels, as for `pictures_in_table`.
    """
    with TemporaryDirectory(prefix="pouf-pictures-of-table-") as folder:
        for file in files:
            try:
                if is_table_of_pictures(file.path, file.name, USUAL_LIMITS):
                    yield from _pictures(files, file, Path(folder), label_column, on_unclear)
                else:
                    yield file
            except (InvalidInput, ArchiveError) as error:
                files.rejected.append(Rejected(files.place(file.name), error.code, error.message, lost="rest"))


def _pictures(
    files: SourceFiles, file: SourceFile, folder: Path, label_column: str | None, on_unclear: OnUnclear
) -> Iterator[SourceFile]:
    def unclear(error: InvalidInput) -> None:
        on_unclear(file.source, file.name, error)

    target = folder / "file"
    with FileReader(USUAL_LIMITS, folder) as reader:
        rows = pictures_in_table(reader, file.path, file.name, LIBRARY_LIMITS, label_column, on_unclear=unclear)
        for found in rows:
            if isinstance(found, Refused):
                files.rejected.append(Rejected(files.place(found.name), found.code, found.message))
            else:
                target.write_bytes(found.data)
                yield SourceFile(found.name, target, True, file.source or str(file.path), found.label)


def holds_tables_of_pictures(root: Path) -> bool:
    """Whether the first table of columns in a folder or an archive, or the table that this is, holds pictures."""
    with closing(iter(SourceFiles(root))) as files:
        for file in files:
            if form := arrow_form(file.name.file_name):
                with suppress(InvalidInput):
                    return kind_of_table(file.path, form, USUAL_LIMITS) == "image"
    return False
