"""What is to be classified: the files, rows and texts that are named on the command line, one by one."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.remote.output import note
from pouf_core.contract.item_limits import MAX_ITEM_BYTES
from pouf_core.data.file_kinds import EMBEDDING_SUFFIXES, TEXT_SUFFIXES, unpacked_name
from pouf_core.data.losses import Rejected
from pouf_core.data.sidecars import is_sidecar
from pouf_core.data.source_files import SourceFile, SourceFiles
from pouf_core.data.source_tables import with_pictures_of_tables
from pouf_core.data.text_files import BadRow, TextOptions, read_texts
from pouf_core.data.texts import clean_item
from pouf_core.data.unsure_encodings import UnsureEncodings
from pouf_core.errors import InvalidInput

#: Documents that lie in folders of pictures.
DOCUMENTS = (".csv", ".txt", ".md", ".json", ".jsonl")
MOST_ROWS = 10_000_000
UNPACKED_BYTES = 32 * 1024**3
PARQUET_BYTES, PARQUET_SECONDS = 4 * 1024**3, 600.0


@dataclass(frozen=True)
class Given:
    """An input: its name, and a picture's content, a text or pair of texts, or a vector."""

    name: str
    source: Any


@dataclass(frozen=True)
class Unreadable:
    """An input that cannot be used, and why."""

    name: str
    code: str
    message: str

    @classmethod
    def of(cls, name: str, error: InvalidInput | Rejected) -> "Unreadable":
        """By the reason that was found."""
        return cls(name, error.code, error.message)


Input = Given | Unreadable


def inputs_of(values: Sequence[str], modality: str, text_column: str | None = None) -> Iterator[Input]:
    """The inputs of a model in order, each read when it is asked for.

    Args:
        values: paths of files, folders or archives; for a model of texts, texts too.
        modality: what the model classifies: `image`, `text` or `embedding`.
        text_column: of tables, the column with the text.

    Raises:
        CommandError: a path leads nowhere, or there is nothing to classify.
    """
    for value in values:
        _check(value, modality)
    read = {"image": _pictures, "embedding": _vectors}.get(modality)
    found = False
    for value in values:
        for each in _texts(value, text_column) if read is None else read(Path(value)):
            found = True
            yield each
    if not found:
        what = {"image": "picture", "embedding": "file of embeddings"}.get(modality, "text")
        raise CommandError(f"There is no {what} in {', '.join(values)}.", ExitCode.WRONG_USE)


def _check(value: str, modality: str) -> None:
    """Refuse the name of a file that is not there; a text is no such name."""
    if _exists(value) or (modality == "text" and not _names_a_file(value)):
        return
    raise CommandError(f"There is no file {value}.", ExitCode.WRONG_USE)


def _exists(value: str) -> bool:
    try:
        return Path(value).exists()
    except (OSError, ValueError):  # too long for a name, or with characters that no name has
        return False


def _names_a_file(value: str) -> bool:
    return re.search(r"\s", value) is None and unpacked_name(value.lower()).endswith(TEXT_SUFFIXES)


def _pictures(path: Path) -> Iterator[Input]:
    files = SourceFiles(path)
    for file in with_pictures_of_tables(files):
        name = file.name.file_name.lower()
        if file.path == path or not (is_sidecar(name) or name.endswith(DOCUMENTS)):
            yield _picture(file, _name(path, file))
    yield from (Unreadable.of(rejected.name, rejected) for rejected in files.rejected)


def _picture(file: SourceFile, name: str) -> Input:
    try:
        if file.path.stat().st_size > MAX_ITEM_BYTES:
            return Unreadable(name, "item_too_large", f"The file is larger than {MAX_ITEM_BYTES:,} bytes.")
        return Given(name, file.path.read_bytes())
    except OSError as error:
        return Unreadable(name, "unreadable_file", f"{error.strerror}.")


def _texts(value: str, text_column: str | None) -> Iterator[Input]:
    if not _exists(value):
        yield _text(value)
        return
    path = Path(value)
    files = SourceFiles(path)
    for file in files:
        if file.path == path or file.name.file_name.lower().endswith(TEXT_SUFFIXES):
            yield from _rows(file, _name(path, file), text_column)
    yield from (Unreadable.of(rejected.name, rejected) for rejected in files.rejected)


def _text(value: str) -> Input:
    try:
        return Given(value, clean_item(value))
    except InvalidInput as error:
        return Unreadable.of(value, error)


def _rows(file: SourceFile, name: str, text_column: str | None) -> Iterator[Input]:
    unsure = UnsureEncodings()
    try:
        for row in read_texts(file.path, file.name.file_name, TextOptions(text_column), partial(unsure.note, name)):
            place = f"{name}:{row.position}"
            if isinstance(row, BadRow):
                yield Unreadable(place, row.code, row.message)
            else:
                yield Given(row.name or place, row.item)
    except InvalidInput as error:
        yield Unreadable.of(name, error)
    for warning in unsure.warnings():
        note(warning.message, "yellow")


def _vectors(path: Path) -> Iterator[Input]:
    files = SourceFiles(path)
    for file in files:
        if file.path == path or file.name.file_name.lower().endswith(EMBEDDING_SUFFIXES):
            yield from _vectors_of(file, _name(path, file))
    yield from (Unreadable.of(rejected.name, rejected) for rejected in files.rejected)


def _vectors_of(file: SourceFile, name: str) -> Iterator[Input]:
    from pouf_core.data.embedding_files import FileLimits, read_embeddings

    with TemporaryDirectory(prefix="pouf-vectors-") as scratch:
        limits = FileLimits(MOST_ROWS, UNPACKED_BYTES, Path(scratch), PARQUET_BYTES, PARQUET_SECONDS)
        try:
            found = read_embeddings(file.path, file.name.file_name, limits)
            rows = (row for block in found.blocks() for row in block.reshape(-1, found.width))
            for position, row in enumerate(rows):
                yield Given(f"{name}[{position}]", row)
        except InvalidInput as error:
            yield Unreadable.of(name, error)


def _name(root: Path, file: SourceFile) -> str:
    return str(root) if file.path == root else file.name.text
