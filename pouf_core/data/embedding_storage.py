"""The one file that holds a dataset's embeddings: items in order of content hash, and the rows that they came from.

It is a safetensors file of `features` [m, d], `hashes` [m, 32], `rows` [n] (the item of each row, in the order of the
upload; -1 where the row was refused) and `templates` [1] (T of class features [T, K, d], else 0). It is written and
read piece by piece.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pouf_core.data.embeddings import EmbeddingItems, Floats, Indices
from pouf_core.data.safetensors_files import SafetensorsFile
from pouf_core.data.stored_arrays import BLOCK_BYTES, StoredArray

_HEX_DIGITS = 64


@dataclass(frozen=True)
class StoredEmbeddings:
    """A dataset's embeddings.

    Attributes:
        items: m unit-length vectors, each content once, in order of content hash.
        item_of_row: [n] the item of each uploaded row; -1 where it was refused.
        templates: T of class features [T, K, d], else None.
    """

    items: EmbeddingItems
    item_of_row: Indices
    templates: int | None

    def as_class_features(self, class_count: int) -> Floats:
        """The rows as they were uploaded, [T, K, d], where all n = T·K of them could be used.

        Args:
            class_count: K.
        """
        return self.items.features[self.item_of_row].reshape(-1, class_count, self.items.width)


def write_embeddings(
    target: Path,
    found: Path,
    hash_of_row: Sequence[str],
    width: int,
    templates: int | None,
    *,
    on_block: Callable[[], None] = lambda: None,
) -> None:
    """Write the file.

    Args:
        target: where to.
        found: the m vectors as float32 numbers, each where the first row with its content stood.
        hash_of_row: [n] content hashes (hex), empty where a row was refused.
        width: d.
        templates: T, or None.
        on_block: called now and then.
    """
    hashes_of_rows = np.array(hash_of_row, dtype=f"S{_HEX_DIGITS}")
    usable = hashes_of_rows != b""
    hashes, first, item_of_usable = np.unique(hashes_of_rows[usable], return_index=True, return_inverse=True)
    rows = np.full(len(hashes_of_rows), -1, dtype="<i8")
    rows[usable] = item_of_usable
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    digests = np.frombuffer(bytes.fromhex(hashes.tobytes().decode()), dtype=np.uint8).reshape(-1, _HEX_DIGITS // 2)
    small = {"hashes": digests, "rows": rows, "templates": np.array([templates or 0], dtype="<i8")}
    vectors = StoredArray("vectors", found, 0, np.dtype("<f4"), (len(first), width))
    step = max(1, BLOCK_BYTES // (4 * width))
    with target.open("wb") as stream:
        stream.write(_header(small, vectors.shape))
        for array in small.values():
            stream.write(array.tobytes())
        for start in range(0, len(place), step):
            stream.write(vectors.mapped()[place[start : start + step]].tobytes())
            on_block()


def _header(small: dict[str, NDArray[Any]], features: tuple[int, ...]) -> bytes:
    names = {np.dtype("<i8"): "I64", np.dtype("u1"): "U8"}
    sizes = [(name, names[array.dtype], array.shape, array.nbytes) for name, array in small.items()]
    sizes.append(("features", "F32", features, 4 * features[0] * features[1]))
    entries, end = {}, 0
    for name, dtype, shape, nbytes in sizes:
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + nbytes]}
        end += nbytes
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def load_embeddings(path: Path) -> StoredEmbeddings:
    """Read the file. The vectors stay in it until they are used; what is changed of them never reaches it.

    Raises:
        InvalidInput: `embedding_file_corrupt`.
    """
    file = SafetensorsFile(path)
    text = file.array("hashes").read().tobytes().hex()
    hashes = [text[start : start + _HEX_DIGITS] for start in range(0, len(text), _HEX_DIGITS)]
    features = file.array("features").mapped("c")
    rows: Indices = file.array("rows").read()
    templates = int(file.array("templates").read()[0])
    return StoredEmbeddings(EmbeddingItems(np.asarray(features), hashes), rows, templates or None)
