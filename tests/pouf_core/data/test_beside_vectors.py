"""Labels and names that stand beside vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as save_tensors

from pouf_core.errors import InvalidInput
from tests.pouf_core.data.embedding_contents import IDS, LABELS, VECTORS, Read, lists, npz, parquet, vectors_of

BESIDE = {
    "npz": (".npz", npz(ids=IDS, emb=VECTORS, names=np.array(list("abc") * 10), tokens=IDS.reshape(15, 2))),
    "npz-packed-objects": (".npz", npz(np.savez_compressed, names=np.array(["a"] * 30, dtype=object), emb=VECTORS)),
    "npz-floats-of-one-dimension": (".npz", npz(emb=VECTORS, norms=VECTORS[:, 0], scale=np.float32(100))),
    "safetensors": (".safetensors", save_tensors({"ids": IDS, "emb": VECTORS, "norms": VECTORS[:, 0].copy()})),
}


@pytest.mark.parametrize(("suffix", "content"), BESIDE.values(), ids=BESIDE)
def test_ids_and_names_beside_the_only_vectors_are_not_read(read_vectors: Read, suffix: str, content: bytes) -> None:
    file = read_vectors(content, suffix)
    assert (file.array.name, file.labels) == ("emb", None)
    np.testing.assert_array_equal(vectors_of(file), VECTORS)


LABELLED = {
    "npz": (".npz", npz(features=VECTORS, labels=np.array(LABELS), ids=np.arange(3))),
    "parquet": (".parquet", parquet({"features": lists(VECTORS), "label": LABELS, "id": list(range(30))})),
}


@pytest.mark.parametrize(("suffix", "content"), LABELLED.values(), ids=LABELLED)
def test_labels_stand_beside_the_vectors(read_vectors: Read, suffix: str, content: bytes) -> None:
    file = read_vectors(content, suffix)
    assert file.labels == ["fox", "wren", None] * 10
    np.testing.assert_array_equal(vectors_of(file), VECTORS)


NAMED = {
    "npz": (".npz", npz(features=VECTORS, labels=np.array(LABELS), names=np.array(["a.jpg", "", " c "] * 10))),
    "npz-bytes": (".npz", npz(np.savez_compressed, emb=VECTORS, ids=np.array([b"a.jpg", b"", b"c"] * 10))),
    "parquet": (".parquet", parquet({"features": lists(VECTORS), "id": ["a.jpg", None, "c"] * 10})),
    "parquet-columns": (".parquet", parquet({"name": ["a.jpg", "", "c"] * 10, "x": VECTORS[:, 0], "y": VECTORS[:, 1]})),
}


@pytest.mark.parametrize(("suffix", "content"), NAMED.values(), ids=NAMED)
def test_names_stand_beside_the_vectors(read_vectors: Read, suffix: str, content: bytes) -> None:
    file = read_vectors(content, suffix)
    assert file.names == ["a.jpg", None, "c"] * 10
    np.testing.assert_array_equal(vectors_of(file), VECTORS[:, : file.width])


def test_numbers_are_names_too_and_no_part_of_the_vectors(read_vectors: Read) -> None:
    numbers = [7 * number for number in range(30)]
    columns = {"id": numbers, "x": VECTORS[:, 0], "y": VECTORS[:, 1]}
    for suffix, content in [
        (".safetensors", save_tensors({"emb": VECTORS[:, :2].copy(), "ids": np.array(numbers)})),
        (".parquet", parquet(columns)),
    ]:
        file = read_vectors(content, suffix)
        assert file.names == [str(number) for number in numbers]
        np.testing.assert_array_equal(vectors_of(file), VECTORS[:, :2])


NO_NAMES = {
    "too-few": np.arange(29),
    "floats": np.zeros(30),
    "objects": np.array(["a"] * 30, dtype=object),
    "a-table": np.zeros((30, 2), dtype=int),
}


@pytest.mark.parametrize("ids", NO_NAMES.values(), ids=NO_NAMES)
def test_what_names_no_vectors_is_not_read(read_vectors: Read, ids: Any) -> None:
    file = read_vectors(npz(features=VECTORS, ids=ids), ".npz")
    assert file.names is None
    np.testing.assert_array_equal(vectors_of(file), VECTORS)


def test_integer_labels_are_read_as_text(read_vectors: Read) -> None:
    file = read_vectors(save_tensors({"features": VECTORS, "labels": np.arange(30)}), ".safetensors")
    assert file.labels == [str(number) for number in range(30)]


def test_labels_that_are_no_text_are_shown_as_they_can_be_or_refused(read_vectors: Read) -> None:
    codes = np.array([[0xD800, 65], [0xFFFD, 0]], dtype="<u4")
    content = npz(features=VECTORS[:2], labels=codes.view("<U2").ravel())
    assert read_vectors(content, ".npz").labels == ["?A", "\ufffd"]
    codes[0, 0] = 0xFFFFFFF
    with pytest.raises(InvalidInput) as error:
        read_vectors(npz(features=VECTORS[:2], labels=codes.view("<U2").ravel()), ".npz")
    assert error.value.code == "embedding_labels"
