"""What lies in memory: pictures, arrays and tables of pandas, polars or pyarrow, told by what they can do.

None of these libraries is imported here, except Pillow where an array has to become a picture's file.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from pouf_client.errors import InvalidInput

#: Modes that PNG keeps.
PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})

Columns = dict[str, list[Any]]


def columns_of(given: object) -> Columns | None:
    """The columns of a table of pandas, polars or pyarrow; None where `given` is none.

    Raises:
        InvalidInput: two columns have one name.
    """
    names = getattr(given, "column_names", None)  # pyarrow's `columns` are the columns themselves
    names = getattr(given, "columns", None) if names is None else names
    if names is None or isinstance(given, Mapping) or not hasattr(given, "__getitem__"):
        return None
    columns = {str(name): values_of(given[name]) for name in names}
    if len(columns) < len(list(names)):
        raise InvalidInput("Two columns of the table have the same name.", code="duplicate_column")
    return {name: [None if _is_missing(value) else value for value in values] for name, values in columns.items()}


def index_of(given: object) -> list[str] | None:
    """What the index of a table or series of pandas calls its rows; None where it counts them, or calls two alike."""
    index: Any = getattr(given, "index", None)
    if not hasattr(index, "nlevels") or (getattr(index, "start", None), getattr(index, "step", None)) == (0, 1):
        return None
    values = values_of(index)
    names = ["/".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values]
    return names if len(set(names)) == len(names) and not any(map(_is_missing, values)) else None


def _is_missing(value: Any) -> bool:
    """Whether it stands for a value that is not there: NaN, or `NA` of pandas, of which nothing can be asked."""
    return type(value).__name__ == "NAType" or (not is_array(value) and value != value)


def values_of(column: Any) -> list[Any]:
    """The values of a column or an array, as Python has them."""
    for method in ("to_pylist", "tolist", "to_list"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def is_array(given: object) -> bool:
    """Whether it is an array of numpy, or another library's that numpy can read."""
    return all(hasattr(given, name) for name in ("shape", "dtype")) and not hasattr(given, "columns")


def is_picture(given: object) -> bool:
    """Whether it is a picture of Pillow, or an array [height, width], [height, width, 1, 3 or 4] of bytes."""
    return _is_pillow(given) or _is_pixels(given)


def is_pictures(given: object) -> bool:
    """Whether it is an array of such arrays."""
    return is_array(given) and len(given.shape) == 4 and "uint8" in str(given.dtype)  # type: ignore[attr-defined]


def picture_file(picture: Any) -> bytes:
    """A picture as a PNG file.

    Raises:
        InvalidInput: an array, without Pillow to make a picture of it.
    """
    if not _is_pillow(picture):
        picture = _from_pixels(picture)
    if picture.mode not in PNG_MODES:
        picture = picture.convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _is_pillow(given: object) -> bool:
    return all(hasattr(given, name) for name in ("mode", "convert", "save", "tobytes"))


def _is_pixels(given: object) -> bool:
    if not (is_array(given) and "uint8" in str(given.dtype)):  # type: ignore[attr-defined]
        return False
    shape = given.shape  # type: ignore[attr-defined]
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def _from_pixels(pixels: Any) -> Any:
    try:
        import numpy as np
        from PIL import Image
    except ImportError as error:
        message = "Arrays become pictures by Pillow: pip install pillow, or give the bytes of picture files."
        raise InvalidInput(message, code="pillow_missing") from error
    array = np.asarray(pixels)
    return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)
