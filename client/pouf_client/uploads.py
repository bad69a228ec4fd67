"""Making one file of what is to be uploaded: files, folders, texts, pictures, arrays and tables."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pouf_client.embeddings import save_vectors
from pouf_client.errors import InvalidInput
from pouf_client.files import PathLike, existing, expanded, is_file, portable_name, visible_files
from pouf_client.in_memory import (
    Columns,
    columns_of,
    index_of,
    is_array,
    is_picture,
    is_pictures,
    picture_file,
    values_of,
)
from pouf_client.inputs import hold_vectors, rows_of_numbers, without_names
from pouf_client.picture_tables import LABEL_COLUMN, pictures_in, pictures_listed_in

#: A path, or a list of paths, texts, pairs, pictures or vectors, or an array, a table, a picture, or a file's bytes.
Source = Any

#: What the service takes for names where no other column has some.
INDEX_COLUMN = "idx"
MAY_BE_PICTURES = ("auto", "image")


@dataclass(frozen=True)
class Upload:
    """A file to send.

    Attributes:
        path: where it lies.
        modality: of what is in it, `auto` where the service tells.
        was_table: whether it was made of a table that names pictures, so that no option of tables is left to be sent.
    """

    path: Path
    modality: str
    was_table: bool = False


Write = Callable[[Path], Path]


@contextmanager
def upload_of(
    source: Source,
    modality: str = "auto",
    label_column: str | None = None,
    delimiter: str | None = None,
    *,
    tables_name_pictures: bool = True,
) -> Iterator[Upload]:
    """The file to send: the one that is named, whose kind the service tells, or else one made for the while.

    Args:
        source: what there is. A `str` is a path; in a list, with the modality `text`, it is a text.
        modality: what it holds, or `auto`.
        label_column: of tables with vectors or names of pictures, the column with labels.
        delimiter: between the columns of a .csv.
        tables_name_pictures: whether a table may name pictures, which are then what is sent.

    Raises:
        MissingFile: something named is not there.
        InvalidInput: there is nothing to send, or nothing that the client can send.
    """
    labels = label_column or LABEL_COLUMN
    pictures = None
    asked_for = modality == "image"
    if isinstance(source, str | os.PathLike):
        path = existing(source, "; for a text, give a list of texts and modality='text'")
        if path.is_file():
            if tables_name_pictures and modality in MAY_BE_PICTURES:
                pictures = pictures_listed_in(path, label_column, delimiter, asked_for=asked_for)
            if pictures is None:
                yield Upload(path, modality)
                return
    elif tables_name_pictures and modality in MAY_BE_PICTURES and (columns := columns_of(source)):
        pictures = pictures_in(columns, label_column, Path(), asked_for=asked_for)
    with TemporaryDirectory(prefix="pouf-upload-") as folder:
        if pictures is not None:
            yield Upload(_archive_of(pictures.entries())(Path(folder)), "image", was_table=True)
            return
        write, found = _writer(source, modality, labels)
        yield Upload(write(Path(folder)), modality if modality != "auto" else found)


def _writer(source: Source, modality: str, label_column: str) -> tuple[Write, str]:
    """What writes a file into a folder, and the modality of its content as far as it is known."""
    if isinstance(source, str | os.PathLike):
        return _archive_of(_below(expanded(source))), "auto"
    if isinstance(source, bytes):
        return _file_of(source), "auto"
    columns = columns_of(source)
    if columns is not None:
        return _table(columns, index_of(source), modality, label_column)
    if is_picture(source) and modality != "embedding":
        return _pictures([source]), "image"
    if is_array(source) and not is_pictures(source) and len(source.shape) > 1:
        return _vectors(source), "embedding"
    return _list(_listed(source), modality)


def _list(members: list[Any], modality: str) -> tuple[Write, str]:
    if all(isinstance(each, bytes) or is_picture(each) for each in members):
        return _pictures(members), "image"
    if modality == "text" and all(isinstance(each, str) for each in members):
        if all(is_file(each) for each in members):
            message = "These are names of files, and a str is a text here: give pathlib.Path to send the files."
            raise _invalid("texts_are_files", message)
        return _texts(members), "text"
    if all(isinstance(each, str | os.PathLike) for each in members):
        return _archive_of(_named(members)), "auto"
    if all(_is_pair(each) for each in members):
        return _texts(members), "text"
    if all(is_array(each) or isinstance(each, list | tuple) for each in members):
        return _vectors([values_of(each) for each in members]), "embedding"
    kinds = " and ".join(sorted({type(each).__name__ for each in members}))
    raise _invalid("mixed_source", f"A list of {kinds} is no dataset: give paths, pictures, texts, pairs or vectors.")


def _listed(source: Source) -> list[Any]:
    try:
        members = list(source) if is_pictures(source) or not hasattr(source, "tolist") else values_of(source)
    except TypeError:
        message = f"A {type(source).__name__} is nothing to upload: give a path or a list."
        raise _invalid("unknown_source", message) from None
    if not members or isinstance(source, Mapping):
        raise _invalid("no_items", "There is nothing to upload: give a path, or a list of items that is not empty.")
    return members


def _table(columns: Columns, index: list[str] | None, modality: str, label_column: str) -> tuple[Write, str]:
    others = {name: values for name, values in columns.items() if name != label_column}
    if not any(others.values()):
        raise _invalid("no_items", "The table has no row.")
    vectors, names = without_names(others, index)
    has_texts = any(isinstance(value, str) for values in others.values() for value in values)
    if modality == "text" or (modality == "auto" and has_texts and not hold_vectors(vectors)):
        columns = columns if index is None else columns | {INDEX_COLUMN: columns.get(INDEX_COLUMN, index)}
        return _texts([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]), "text"
    return _vectors(rows_of_numbers(vectors), columns.get(label_column), names), "embedding"


def _vectors(vectors: Any, labels: Sequence[object] | None = None, names: Sequence[object] | None = None) -> Write:
    return lambda folder: save_vectors(folder, vectors, labels, names)


def _texts(texts: Iterable[str | Sequence[str] | Mapping[str, Any]]) -> Write:
    def write(folder: Path) -> Path:
        path = folder / "texts.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(_row(text), default=str) + "\n" for text in texts)
        return path

    return write


def save_texts(folder: Path, texts: Iterable[str | tuple[str, str]]) -> Path:
    """Write texts, or pairs of them, to a file in `folder`; returns its path.

    Raises:
        InvalidInput: one text, whose characters would be the texts.
    """
    if isinstance(texts, str):
        raise _invalid("texts_no_list", "Give the texts as a list, not as one text; a file of texts goes to create.")
    return _texts(texts)(folder)


def _row(text: str | Sequence[str] | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(text, Mapping):
        return text
    return {"text": text} if isinstance(text, str) else {"text_a": text[0], "text_b": text[1]}


def _pictures(pictures: Sequence[Any]) -> Write:
    contents = (
        (f"{index:06d}", each) if isinstance(each, bytes) else (f"{index:06d}.png", picture_file(each))
        for index, each in enumerate(pictures)
    )
    return _archive_of(contents)


def _file_of(content: bytes) -> Write:
    def write(folder: Path) -> Path:
        path = folder / "upload"
        path.write_bytes(content)
        return path

    return write


def _archive_of(entries: Iterable[tuple[str, Path | bytes]]) -> Write:
    def write(folder: Path) -> Path:
        path = folder / "files.zip"
        # Pictures are compressed already, so they are stored as they are.
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for name, content in entries:
                if isinstance(content, Path):
                    archive.write(content, name)
                else:
                    archive.writestr(name, content)
        return path

    return write


def _below(folder: Path) -> list[tuple[str, Path | bytes]]:
    return [(portable_name(path.relative_to(folder).as_posix()), path) for path in visible_files(folder)]


def _named(paths: Sequence[PathLike]) -> list[tuple[str, Path | bytes]]:
    hint = "; if the list holds texts, give modality='text'"
    files = [existing(path, hint) for path in paths]
    folder = next((path for path in files if path.is_dir()), None)
    if folder is not None:
        raise _invalid("folder_in_list", f"{str(folder)!r} is a folder: give it alone, not in a list.")
    if len({path.name for path in files}) < len(files):
        message = "Two of the files have the same name; put them in one folder and send that."
        raise _invalid("duplicate_file_name", message)
    return [(portable_name(path.name), path) for path in files]


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(part, str) for part in given)


def _invalid(code: str, message: str) -> InvalidInput:
    return InvalidInput(message, code=code, field="source")
