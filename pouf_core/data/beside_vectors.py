"""What a file of embeddings holds beside the vectors: an evaluation label, or a name, for each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pouf_core.contract.classes import MAX_TEXT_LENGTH
from pouf_core.contract.findings import listed
from pouf_core.data.item_names import LONGEST_NAME
from pouf_core.data.stored_arrays import StoredArray, check_no_objects
from pouf_core.errors import InvalidInput

FEATURES = "features"
#: Arrays or columns that hold evaluation labels, and those that say what the vectors are called.
LABELS = ("labels", "label")
NAMES = ("names", "name", "ids", "id")
#: Where the reader of parquet files writes both.
BESIDE_FILE = "beside.json"
_BYTES_A_LETTER = 4
#: They are read whole.
_MOST_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Chosen:
    """The arrays of a file that are read, by name."""

    features: str
    labels: str | None
    names: str | None


def choose(arrays: Collection[str], may_be_vectors: Callable[[str], bool]) -> Chosen:
    """Which of a file's arrays are read.

    Raises:
        InvalidInput: `embedding_shape` where there are none, `several_arrays` where it is unclear.
    """
    labels = next((name for name in LABELS if name in arrays), None)
    others = [name for name in arrays if name != labels]
    features = _features(others, may_be_vectors)
    return Chosen(features, labels, next((name for name in NAMES if name in others and name != features), None))


def _features(others: list[str], may_be_vectors: Callable[[str], bool]) -> str:
    if FEATURES in others:
        return FEATURES
    if len(others) == 1:
        return others[0]
    if not others:
        raise InvalidInput("embedding_shape", "The file holds no array of vectors.")
    vectors = [name for name in others if may_be_vectors(name)]
    if len(vectors) == 1:
        return vectors[0]
    named = f"{len(others)} arrays ({listed(others)})"
    message = f"The file holds {named}, and none is named {FEATURES}; name one so, or send one."
    raise InvalidInput("several_arrays", message)


def check_labels(array: StoredArray, most_rows: int) -> None:
    """Raise `InvalidInput` `embedding_labels` or `pickled_array` unless each may be read as a label."""
    check_no_objects(array.name, array.dtype)
    if not _is_column(array, MAX_TEXT_LENGTH) or array.shape[0] > most_rows:
        message = f"{array.name} must hold one integer or string for each vector, of at most {MAX_TEXT_LENGTH} letters."
        raise InvalidInput("embedding_labels", message)


def may_be_names(array: StoredArray, count: int) -> bool:
    """Whether an array holds a name for each of `count` vectors; what does not is none of our business."""
    return _is_column(array, LONGEST_NAME) and array.shape[0] == count


def _is_column(array: StoredArray, longest: int) -> bool:
    """Whether an array holds integers or strings, one after the other."""
    is_of_texts = array.dtype.kind in "iuUS" and not array.bfloat16
    fits = 0 < array.dtype.itemsize <= _BYTES_A_LETTER * longest and array.nbytes <= _MOST_BYTES
    return is_of_texts and len(array.shape) == 1 and fits


def texts_of(array: StoredArray) -> list[str | None]:
    """The values as text; None where one is empty.

    Raises:
        InvalidInput: `embedding_labels` of characters that there are not.
    """
    stored = array.read()
    native: NDArray[Any] = stored.astype(stored.dtype.newbyteorder("="))
    if native.dtype.kind == "U" and (native.view(np.uint32) > sys.maxunicode).any():  # which Python takes unchecked
        raise InvalidInput("embedding_labels", f"{array.name} holds characters that there are not.")
    values = native.tolist()
    texts = (value if isinstance(value, bytes) else str(value).encode("utf-8", "replace") for value in values)
    return [text.decode("utf-8", "replace").strip().replace("\0", "") or None for text in texts]
