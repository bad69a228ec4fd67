"""Files of embeddings: every format gives the same vectors, and takes no more memory than a block of them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pouf_core.data.embedding_files import FileLimits, read_embeddings
from pouf_core.errors import InvalidInput
from tests.pouf_core.data.embedding_contents import FORMATS, MIB, VECTORS, Read, npy, parquet, vectors_of


@pytest.mark.parametrize(("suffix", "content", "tolerance"), FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_vectors_in_order(
    read_vectors: Read, suffix: str, content: bytes, tolerance: float
) -> None:
    file = read_vectors(content, suffix)
    assert (file.count, file.width, file.templates, file.labels) == (30, 6, None, None)
    np.testing.assert_allclose(vectors_of(file), VECTORS, atol=tolerance, rtol=0)
    assert file.name_of(17) == "17"


def test_integers_are_vectors_too(read_vectors: Read) -> None:
    np.testing.assert_array_equal(vectors_of(read_vectors(npy([[1, -2], [3, 4]]), ".npy")), [[1, -2], [3, 4]])


@pytest.mark.parametrize("order", ["C", "F"])
def test_three_dimensions_are_templates_and_classes(read_vectors: Read, order: Any) -> None:
    file = read_vectors(npy(np.array(VECTORS.reshape(3, 10, 6), order=order)), ".npy")
    assert (file.count, file.width, file.templates, file.name_of(17)) == (30, 6, 3, "1,7")
    np.testing.assert_array_equal(vectors_of(file), VECTORS)


def test_what_is_null_in_a_parquet_file_is_not_a_number(read_vectors: Read) -> None:
    rows = vectors_of(read_vectors(parquet({"features": [[1.0, 2.0], None, [3.0, None]]}), ".parquet"))
    np.testing.assert_array_equal(rows, [[1, 2], [np.nan, np.nan], [3, np.nan]])


def test_a_large_file_takes_a_block_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    large = np.lib.format.open_memmap(path, "w+", np.float32, (100_000, 512))
    large[:, 0] = 1
    del large
    limits = FileLimits(10**6, MIB, tmp_path, 512 * MIB, 20)
    tracemalloc.start()
    assert sum(float(block.sum()) for block in read_embeddings(path, path.name, limits).blocks()) == 100_000
    assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    tracemalloc.stop()


def test_of_a_packed_file_no_more_is_unpacked_than_is_wanted(tmp_path: Path) -> None:
    vectors, labels = np.arange(4000, dtype=np.float32).reshape(1000, 4) + 1, np.arange(1000)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, features=vectors, labels=labels)
    room = 10_000  # for the labels, and not for all vectors
    limits = FileLimits(10**6, room, tmp_path, 512 * MIB, 20, first_rows=50)
    found = read_embeddings(path, path.name, limits)
    assert (found.count, found.labels) == (50, [str(number) for number in range(50)])
    assert (vectors_of(found) == vectors[:50]).all()
    with pytest.raises(InvalidInput) as caught:
        read_embeddings(path, path.name, replace(limits, first_rows=None))
    assert caught.value.code == "embedding_file_too_large"
    np.savez_compressed(path, features=vectors, labels=labels[1:])
    with pytest.raises(InvalidInput, match="999 labels for 1,000 vectors"):
        read_embeddings(path, path.name, limits)
