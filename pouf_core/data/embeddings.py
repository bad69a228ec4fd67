"""A caller's own vectors as items: of unit length, known by their content, equal ones once. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from pouf_core.contract.counts import counted
from pouf_core.data.items import Item
from pouf_core.data.losses import Rejected
from pouf_core.errors import InvalidInput

Floats: TypeAlias = npt.NDArray[np.float32]
Indices: TypeAlias = npt.NDArray[np.int64]

FEATURES_FIELD = "/features"
_NUMBERS = "fiu"  # numpy's kinds of real numbers
_ROWS_AT_ONCE = 4096
_UNIT = 2**-23  # a vector this close to unit length is one that was rounded to float32, and stays as it is
_MESSAGES = {
    "embedding_zero": "every number of the vector is 0, and it has no direction",
    "embedding_not_finite": "the vector holds NaN or infinity",
}


def is_array(value: object) -> bool:
    """Whether something is a numpy array or a torch tensor."""
    return isinstance(value, np.ndarray) or _is_tensor(value)


def as_numbers(values: Any, field: str = FEATURES_FIELD) -> npt.NDArray[Any]:
    """An array of real numbers, in the caller's precision and without a copy where that can be.

    Args:
        values: a numpy array, a torch tensor, nested sequences of numbers, or a table or column of pandas.
        field: JSON pointer of what they are.

    Raises:
        InvalidInput: `wrong_modality` where they are no numbers; `embedding_shape` where they form no array.
    """
    try:
        array = _from_tensor(values) if _is_tensor(values) else np.asarray(values)
        if array.dtype.kind == "O":  # as a column of vectors has them
            array = np.asarray(array.tolist())
    except (ValueError, TypeError) as error:
        raise InvalidInput("embedding_shape", f"The vectors form no array: {error}", field=field) from error
    if array.dtype.kind not in _NUMBERS:
        message = f"Embeddings are arrays of real numbers, and this is {_kind_of(values, array)}."
        raise InvalidInput("wrong_modality", message, field=field)
    return array


def as_matrix(values: Any) -> npt.NDArray[Any]:
    """As `as_numbers`, of n vectors [n, d] with d at least 1.

    Raises:
        InvalidInput: as `as_numbers`, or `embedding_shape`.
    """
    array = as_numbers(values)
    if array.ndim != 2 or array.shape[1] == 0:
        message = f"Vectors come as an array [n, d], and this one has shape {list(array.shape)}."
        raise InvalidInput("embedding_shape", message, field=FEATURES_FIELD)
    return array


@dataclass(frozen=True)
class UnitRows:
    """Vectors of unit length.

    Attributes:
        rows: [n, d] of unit length; zeros where a vector has no direction.
        refused: row number to code, `embedding_zero` or `embedding_not_finite`.
    """

    rows: Floats
    refused: dict[int, str]

    def raise_any(self, field: str = FEATURES_FIELD, first: int = 0) -> Floats:
        """The rows, where all can be used.

        Args:
            field: JSON pointer of the array; the row's number follows it.
            first: the number of the first row.

        Raises:
            InvalidInput: `embedding_zero` or `embedding_not_finite`, naming the first such row.
        """
        for row, code in self.refused.items():
            raise refused_row(code, first + row, field)
        return self.rows


def refused_row(code: str, row: int | str, field: str = FEATURES_FIELD) -> InvalidInput:
    """What is wrong with a row: the field is `<field>/<row>`, with rows counted from 0."""
    return InvalidInput(code, f"Row {row} cannot be used: {_MESSAGES[code]}.", field=f"{field}/{row}")


def unit_rows(matrix: npt.NDArray[Any]) -> UnitRows:
    """Bring every row to unit length, computed in float64 and rounded to float32.

    What is of unit length in float32 stays as it is, bit by bit: normalising twice is normalising once.

    Args:
        matrix: [n, d] of real numbers.
    """
    rows = np.empty(matrix.shape, dtype=np.float32)
    refused: dict[int, str] = {}
    for start in range(0, len(matrix), _ROWS_AT_ONCE):
        part = np.array(matrix[start : start + _ROWS_AT_ONCE], dtype=np.float64, order="C")
        largest = np.abs(part).max(axis=1)
        usable = np.isfinite(largest) & (largest > 0)
        for row in np.flatnonzero(~usable).tolist():
            refused[start + row] = "embedding_zero" if largest[row] == 0 else "embedding_not_finite"
        part[~usable] = 0
        rows[start : start + len(part)] = _normalised(part, np.where(usable, largest, 1))
    return UnitRows(rows, refused)


def _normalised(part: npt.NDArray[np.float64], largest: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rows [b, d] of unit length; divided by their largest number first, so that no square leaves the range."""
    scaled = part / largest[:, None]
    norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    kept = np.abs(norms * largest - 1) <= _UNIT
    scaled /= np.where(norms > 0, norms, 1)[:, None]
    scaled[kept] = part[kept]
    scaled += 0.0  # -0 becomes 0: they are equal numbers, of unequal bytes
    return scaled


def row_hashes(rows: Floats) -> list[str]:
    """SHA-256 (hex) of the little-endian float32 numbers of rows [n, d]: the content hashes of unit-length vectors."""
    return [hashlib.sha256(row).hexdigest() for row in np.ascontiguousarray(rows, dtype="<f4")]


@dataclass(frozen=True, eq=False)
class EmbeddingItems(Sequence[Item]):
    """Vectors as items in order of content hash, each content once, carried as one matrix.

    Attributes:
        features: [m, d] of unit length.
        hashes: their m content hashes.
    """

    features: Floats
    hashes: Sequence[str]

    def __len__(self) -> int:
        return len(self.hashes)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> EmbeddingItems: ...
    def __getitem__(self, index: int | slice) -> Item | EmbeddingItems:
        if isinstance(index, slice):
            return EmbeddingItems(self.features[index], self.hashes[index])
        return Item(self.hashes[index], self.features[index])

    @property
    def width(self) -> int:
        """d."""
        return int(self.features.shape[1])


@dataclass(frozen=True)
class CollectedEmbeddings:
    """Vectors as a caller gave them, and the items that they are.

    Attributes:
        items: each content once.
        item_of_row: [n] the item of each of the caller's rows, in their order; -1 for a row that was refused.
        refused: row number, from 0, to code, `embedding_zero` or `embedding_not_finite`.
    """

    items: EmbeddingItems
    item_of_row: Indices
    refused: dict[int, str]

    def rejected(self) -> list[Rejected]:
        """The refused rows, each with the reason."""
        found = [(row, refused_row(code, row)) for row, code in self.refused.items()]
        return [Rejected(f"row {row}", problem.code, problem.message) for row, problem in found]


def collect_embeddings(data: Any, *, every_row: bool = False) -> CollectedEmbeddings:
    """The items of a caller's vectors.

    Args:
        data: [n, d] vectors of any length and number type, as numpy array, torch tensor or sequences of numbers; or
            `EmbeddingItems`, which are taken for checked.
        every_row: refuse the data for one row that cannot be used, instead of that row alone.

    Raises:
        InvalidInput: `wrong_modality`, `embedding_shape`, or `no_usable_items`; with `every_row` also
            `embedding_zero` or `embedding_not_finite`, naming the row.
    """
    if isinstance(data, EmbeddingItems):
        return CollectedEmbeddings(data, np.arange(len(data)), {})
    unit = unit_rows(as_matrix(data))
    if every_row:
        unit.raise_any()
    usable = np.setdiff1d(np.arange(len(unit.rows)), list(unit.refused))
    if not len(usable):
        raise InvalidInput("no_usable_items", "There is no vector in the data that can be used.", field=FEATURES_FIELD)
    rows = unit.rows[usable] if unit.refused else unit.rows
    hashes, first, item_of_usable = np.unique(np.array(row_hashes(rows), "S64"), return_index=True, return_inverse=True)
    item_of_row = np.full(len(unit.rows), -1, dtype=np.int64)
    item_of_row[usable] = item_of_usable
    items = EmbeddingItems(rows[first], [digest.decode() for digest in hashes.tolist()])
    return CollectedEmbeddings(items, item_of_row, unit.refused)


def embedding_of(source: Any, name: str, width: int | None) -> Floats:
    """One vector [d] of unit length, as it is sent for prediction.

    Args:
        source: a sequence of numbers, a numpy array or torch tensor [d], or bytes: float32, little-endian.
        name: of the model that it is sent to.
        width: d; None to take any.

    Raises:
        InvalidInput: `wrong_modality`, `embedding_shape`, `embedding_width`, `embedding_zero` or
            `embedding_not_finite`.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        if len(source) % 4:
            message = f"The embedding has {counted(len(source), 'byte')}, which are no whole number of float32 numbers."
            raise InvalidInput("embedding_width", message)
        source = np.frombuffer(source, dtype="<f4")
    elif not is_array(source) and not isinstance(source, list | tuple):
        raise InvalidInput("wrong_modality", f"{name} takes embeddings, and this is a {type(source).__name__}.")
    vector = _as_vector(source, name)
    if width is not None and len(vector) != width:
        message = f"The embedding has {counted(len(vector), 'number')} and {name} takes {width}."
        raise InvalidInput("embedding_width", message)
    unit = unit_rows(vector[None])
    for code in unit.refused.values():
        raise InvalidInput(code, f"The embedding cannot be used: {_MESSAGES[code]}.")
    only: Floats = unit.rows[0]
    return only


def _as_vector(source: Any, name: str) -> npt.NDArray[Any]:
    try:
        vector = as_numbers(source) if len(source) else np.empty(0)
    except InvalidInput as error:
        raise InvalidInput(error.code, error.message) from error
    if vector.ndim != 1 or not len(vector):
        shape = list(vector.shape)
        raise InvalidInput("embedding_shape", f"{name} takes one vector [d] as an item, and this has shape {shape}.")
    return vector


def _is_tensor(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def _from_tensor(tensor: Any) -> npt.NDArray[Any]:
    """A tensor as numpy has it; numpy knows no bfloat16."""
    on_cpu = tensor.detach().cpu()
    wide = on_cpu.float() if on_cpu.dtype.is_floating_point and on_cpu.dtype.itemsize < 4 else on_cpu
    array: npt.NDArray[Any] = wide.numpy()
    return array


def _kind_of(values: Any, array: npt.NDArray[Any]) -> str:
    if not is_array(values) and not isinstance(values, list | tuple):
        return f"a {type(values).__name__}"
    return f"an array of {array.dtype.name}"
