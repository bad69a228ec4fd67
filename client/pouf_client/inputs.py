"""What is to be classified, in the forms that people have it in."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

from pouf_client.embeddings import encode_vector
from pouf_client.errors import InvalidInput
from pouf_client.files import PICTURE_SUFFIXES, TEXT_SUFFIXES, existing, is_file, pictures_below, portable_name
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

#: One input or several: a path, a folder, a text, a pair of texts, bytes, a picture, an array, a table, or a list.
Inputs = Any

#: Columns in which tables have the paths of pictures.
PATH_COLUMNS = ("path", "file", "file_name", "filename", "image")
#: Columns in which tables have what texts and vectors are called.
NAME_COLUMNS = ("names", "name", "ids", "id")
#: A row of fewer numbers may be anything.
LEAST_WIDTH = 8


@dataclass(frozen=True)
class PredictInput:
    """One input: its name, where it has one, and what makes the member of `inputs` that is sent."""

    name: str | None
    encode: Callable[[], dict[str, str]]


def are_pictures_for_sure(given: Inputs) -> bool:
    """Whether every input can only be a picture, whatever the model classifies."""
    several = list(given) if isinstance(given, list | tuple) else [given]
    return bool(several) and all(
        isinstance(each, bytes)
        or is_picture(each)
        or (isinstance(each, Path) and each.suffix.lower() in PICTURE_SUFFIXES)
        for each in several
    )


def inputs_for(given: Inputs, modality: str) -> list[PredictInput]:
    """The inputs of a model of `image`, `text` or `embedding`.

    Raises:
        InvalidInput: there is none, or something that such a model cannot classify.
        MissingFile: a file is not there.
    """
    inputs = {"image": _pictures, "text": _texts, "embedding": _vectors}[modality](given)
    if not inputs:
        raise _invalid("no_inputs", "There is nothing to classify: the list of inputs is empty.")
    return inputs


def _pictures(given: Inputs) -> list[PredictInput]:
    columns = columns_of(given)
    if columns is not None:
        given = _column(columns, PATH_COLUMNS, "with the paths of pictures")
    single = isinstance(given, str | bytes | os.PathLike) or is_picture(given)
    return [each for member in ([given] if single else _members(given)) for each in _picture(member)]


def _picture(given: Any) -> list[PredictInput]:
    if isinstance(given, str | os.PathLike):
        path = existing(given, "; the model classifies pictures, and a text is the path of one")
        if path.is_dir():
            return [_file(picture, picture.relative_to(path).as_posix()) for picture in pictures_below(path)]
        return [_file(path, path.name)]
    if isinstance(given, bytes | bytearray | memoryview):
        return [PredictInput(None, partial(_image, bytes(given)))]
    if is_picture(given):
        return [PredictInput(None, lambda: _image(picture_file(given)))]
    hint = "paths, bytes of files, pictures of Pillow or uint8 arrays [height, width, 3]"
    raise _invalid("no_picture", f"The model classifies pictures: give {hint}, not {_kind(given)}.")


def _file(path: Path, name: str) -> PredictInput:
    return PredictInput(portable_name(name), lambda: _image(path.read_bytes()))


def _image(content: bytes) -> dict[str, str]:
    return {"image": base64.b64encode(content).decode()}


def _texts(given: Inputs) -> list[PredictInput]:
    columns = columns_of(given)
    names: Sequence[object] | None = index_of(given)
    if columns is not None:
        texts, names = without_names(columns, names)
        given = _text_columns(texts)
    several = [given] if isinstance(given, str | bytes | os.PathLike) else _members(given)
    return _called((partial(dict, _text(each)) for each in several), names)


def _text(given: Any) -> dict[str, str]:
    if isinstance(given, str):
        if Path(given).suffix.lower() in TEXT_SUFFIXES and is_file(given):
            raise _file_of_texts(given)
        return {"text": given}
    if isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(part, str) for part in given):
        return {"text": given[0], "text_pair": given[1]}
    if isinstance(given, os.PathLike):
        raise _file_of_texts(given)
    raise _invalid("no_text", f"The model classifies texts: give texts, or pairs of them, not {_kind(given)}.")


def _file_of_texts(given: str | os.PathLike[str]) -> InvalidInput:
    return _invalid(
        "file_of_texts",
        f"{os.fspath(given)!r} is a file: give its texts; or upload it by datasets.create, and classify it by "
        "batch_predictions.create.",
    )


def _text_columns(columns: Columns) -> list[Any]:
    if "text" not in columns and {"text_a", "text_b"} <= columns.keys():
        return list(zip(columns["text_a"], columns["text_b"], strict=True))
    return _column(columns, ("text",), "with the texts")


def _vectors(given: Inputs) -> list[PredictInput]:
    columns = columns_of(given)
    names: Sequence[object] | None = None
    rows: Iterable[Any]
    if columns is not None:
        vectors, names = without_names(columns, index_of(given))
        rows = rows_of_numbers({name: values for name, values in vectors.items() if name != "label"})
    elif isinstance(given, str | os.PathLike):
        rows = _saved_vectors(existing(given, "; of embeddings, a text is the path of a .npy file"))
    elif is_array(given):
        rows = values_of(given) if len(given.shape) > 1 else [values_of(given)]
    else:
        members = _members(given)
        rows = [members] if members and isinstance(members[0], int | float) else members
    return _called((partial(_vector, row) for row in rows), names)


def _called(encoding: Iterable[Callable[[], dict[str, str]]], names: Sequence[object] | None) -> list[PredictInput]:
    """Inputs, called by their names, if there are any."""
    texts = (None if name is None else str(name) for name in names or repeat(None))
    return [PredictInput(name, encode) for name, encode in zip(texts, encoding, strict=False)]


def _vector(row: Any) -> dict[str, str]:
    try:
        return {"embedding_base64": encode_vector(row)}
    except TypeError:
        message = f"The model classifies embeddings: give rows of numbers, not {_kind(row)}."
        raise _invalid("no_embedding", message) from None


def _saved_vectors(path: Path) -> list[Any]:
    if path.suffix.lower() != ".npy":
        raise _invalid("no_embedding", f"{str(path)!r} is no .npy file: load it, and give the array.")
    import numpy as np

    return values_of(np.atleast_2d(np.load(path, allow_pickle=False)))


def without_names(columns: Columns, index: Sequence[object] | None) -> tuple[Columns, Sequence[object] | None]:
    """A table without the column that says what its texts or vectors are called, and that column, else its index."""
    named = next((name for name in NAME_COLUMNS if name in columns), None)
    if named is None:
        return columns, index
    return {name: values for name, values in columns.items() if name != named}, columns[named]


def hold_vectors(columns: Columns) -> bool:
    """Whether what a table holds beside labels and names is vectors and nothing else: lists, or many numbers."""
    lists = sum(bool(values) and all(map(_is_vector, values)) for values in columns.values())
    numbers = sum(map(are_numbers, columns.values()))
    return lists + numbers == len(columns) and (lists > 0 or numbers >= LEAST_WIDTH)


def _is_vector(value: Any) -> bool:
    return is_array(value) or (isinstance(value, list | tuple) and are_numbers(value[:1]))


def rows_of_numbers(columns: Columns) -> list[list[float]]:
    """The vectors of a table: its column of lists, else its columns of numbers.

    Raises:
        InvalidInput: it has neither, or a column of numbers lacks one.
    """
    lists = [values for values in columns.values() if values and all(isinstance(each, list | tuple) for each in values)]
    if lists:
        return lists[0]
    arrays = [values for values in columns.values() if values and all(is_array(each) for each in values)]
    if arrays:
        return [values_of(each) for each in arrays[0]]
    _refuse_missing_numbers(columns)
    numbers = [values for values in columns.values() if are_numbers(values)]
    if not numbers:
        raise _invalid("no_embedding", f"The table has no column of numbers; it has {_named(columns)}.")
    return [list(row) for row in zip(*numbers, strict=True)]


def _refuse_missing_numbers(columns: Columns) -> None:
    for name, values in columns.items():
        if None in values and are_numbers([value for value in values if value is not None]):
            message = f"Column {name!r} has no number in row {values.index(None)}, counted from 0"
            raise _invalid("missing_number", f"{message}: fill it, or leave out the row or the column.")


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether a column holds numbers."""
    return bool(values) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _column(columns: Columns, names: Sequence[str], what: str) -> list[Any]:
    lowered = {name.lower(): values for name, values in columns.items()}
    named = [lowered[name] for name in names if name in lowered]
    texts = [values for values in columns.values() if any(isinstance(value, str | os.PathLike) for value in values)]
    if named or len(texts) == 1:
        return (named or texts)[0]
    message = f"The table has no column {names[0]!r} {what}; it has {_named(columns)}: give the column itself."
    raise _invalid("column_not_told", message)


def _named(columns: Columns) -> str:
    return ", ".join(repr(name) for name in columns) or "no columns"


def _members(given: Any) -> list[Any]:
    if is_pictures(given):
        return list(given)
    if is_array(given) or hasattr(given, "to_list"):
        return values_of(given)
    try:
        return list(given)
    except TypeError:
        raise _invalid("no_inputs", f"Give a list of inputs, not {_kind(given)}.") from None


def _kind(given: Any) -> str:
    shown = " ".join(repr(given).split())
    return f"{type(given).__name__} {shown if len(shown) <= 40 else shown[:40] + '…'}"


def _invalid(code: str, message: str) -> InvalidInput:
    return InvalidInput(message, code=code, field="inputs")
