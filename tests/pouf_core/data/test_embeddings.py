"""Vectors as items: unit length, content hashes, equal ones once, and every vector that cannot be used."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pouf_core.data.class_features import class_feature_vectors
from pouf_core.data.embeddings import EmbeddingItems, collect_embeddings, embedding_of, row_hashes, unit_rows
from pouf_core.data.items import fingerprint
from pouf_core.errors import InvalidInput

TWO = np.array([[3.0, 4.0], [1.0, 0.0]])


def refusal(call: object, *arguments: object) -> tuple[str, str | None, str]:
    with pytest.raises(InvalidInput) as refused:
        call(*arguments)  # type: ignore[operator]
    return refused.value.code, refused.value.field, refused.value.message


def test_equal_vectors_are_one_item_in_order_of_the_hash_of_their_bytes() -> None:
    vectors = np.array([[3.0, 4.0], [0.0, 2.0], [3.0, 4.0], [6.0, 8.0], [0.0, -0.0001]])
    found = collect_embeddings(vectors)
    contents = [np.array(row, "<f4").tobytes() for row in ([0.6, 0.8], [0, 1], [0, -1])]
    assert list(found.items.hashes) == sorted(hashlib.sha256(content).hexdigest() for content in contents)
    assert np.allclose(np.linalg.norm(found.items.features, axis=1), 1)
    assert found.item_of_row[0] == found.item_of_row[2] == found.item_of_row[3]
    assert sorted(found.item_of_row[[0, 1, 4]].tolist()) == [0, 1, 2]
    for row, vector in enumerate(vectors):
        item = found.items[int(found.item_of_row[row])]
        assert np.allclose(item.embedding(), vector / np.linalg.norm(vector))
        assert item.sha256 == hashlib.sha256(item.embedding().astype("<f4").tobytes()).hexdigest()


def test_normalising_twice_is_normalising_once() -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(9000, 37)) * 50).rows
    assert np.array_equal(unit_rows(rows).rows, rows)
    assert row_hashes(unit_rows(rows.astype(np.float64)).rows[:50]) == row_hashes(rows[:50])


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_very_short_and_very_long_vectors_have_a_direction(scale: float) -> None:
    unit = unit_rows(np.array([[3.0, -4.0, 0.0]]) * scale)
    assert unit.refused == {}
    assert np.allclose(unit.rows, [[0.6, -0.8, 0]])


@pytest.mark.parametrize(
    "convert",
    [
        lambda rows: rows.astype(np.float16),
        lambda rows: rows.astype(np.float64),
        lambda rows: rows.astype(np.int32),
        lambda rows: np.asfortranarray(rows),
        lambda rows: rows[:, ::-1][:, ::-1],
        lambda rows: rows.tolist(),
        lambda rows: torch.tensor(rows, dtype=torch.bfloat16),
        lambda rows: torch.tensor(rows, dtype=torch.float16, requires_grad=True),
    ],
)
def test_the_items_do_not_depend_on_how_the_numbers_are_stored(convert: object) -> None:
    rows = np.random.default_rng(1).integers(-8, 9, size=(20, 6)).astype(np.float32)
    assert fingerprint(collect_embeddings(convert(rows)).items) == fingerprint(collect_embeddings(rows).items)


def test_the_order_of_the_rows_does_not_change_the_items() -> None:
    rows = np.random.default_rng(2).normal(size=(50, 4))
    first, second = (collect_embeddings(each).items for each in (rows, rows[::-1]))
    assert first.hashes == second.hashes
    assert np.array_equal(first.features, second.features)


def test_rows_without_a_direction_are_rejected_one_by_one() -> None:
    vectors = np.ones((6, 3))
    vectors[1], vectors[3, 2], vectors[4, 0] = 0, np.nan, -np.inf
    found = collect_embeddings(vectors)
    assert [(each.name, each.code) for each in found.rejected()] == [
        ("row 1", "embedding_zero"),
        ("row 3", "embedding_not_finite"),
        ("row 4", "embedding_not_finite"),
    ]
    assert found.item_of_row.tolist() == [0, -1, 0, -1, -1, 0]


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame(TWO),
        pd.DataFrame(TWO, dtype=object),
        pd.DataFrame({"embedding": list(TWO)})["embedding"],
        pd.Series(TWO.tolist()),
        list(TWO),
    ],
    ids=["table", "table of objects", "column of arrays", "column of lists", "list of arrays"],
)
def test_vectors_of_pandas_are_read(data: object) -> None:
    assert np.array_equal(collect_embeddings(data).items.features, collect_embeddings(TWO).items.features)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pd.Series([[1.0, 2.0], [1.0]]), "embedding_shape"),
        (pd.DataFrame({"x": [1.0], "label": ["a"]}), "wrong_modality"),
        (np.zeros((3, 2)), "no_usable_items"),
        (np.empty((0, 2)), "no_usable_items"),
        (np.ones(3), "embedding_shape"),
        (np.ones((3, 0)), "embedding_shape"),
        ([[1.0, 2.0], [1.0]], "embedding_shape"),
        (["a text", "another"], "wrong_modality"),
        (Path("pictures"), "wrong_modality"),
        (np.ones((3, 2), dtype=complex), "wrong_modality"),
        (torch.ones(3, 2, dtype=torch.bool), "wrong_modality"),
    ],
)
def test_data_that_is_no_matrix_of_numbers_is_refused(data: object, code: str) -> None:
    assert refusal(collect_embeddings, data)[:2] == (code, "/features")


def test_a_slice_of_items_is_items_and_given_items_are_taken_as_they_are() -> None:
    items = collect_embeddings(np.random.default_rng(3).normal(size=(9, 4))).items
    part = items[2:5]
    assert isinstance(part, EmbeddingItems)
    assert [item.sha256 for item in part] == list(items.hashes[2:5])
    assert collect_embeddings(part).items is part


@pytest.mark.parametrize(
    "source", [[3, 4], (3.0, 4.0), np.array([3, 4], np.float16), torch.tensor([3.0, 4.0]), b"\0\0\x40\x40\0\0\x80\x40"]
)
def test_one_vector_may_come_as_numbers_or_as_bytes(source: object) -> None:
    assert np.allclose(embedding_of(source, "features", 2), [0.6, 0.8])


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ([1.0, 2.0, 3.0], "embedding_width"),
        (b"\0\0\x40\x40", "embedding_width"),
        (b"\0\0\x40", "embedding_width"),
        ([0.0, 0.0], "embedding_zero"),
        ([float("nan"), 1.0], "embedding_not_finite"),
        ([[1.0, 2.0]], "embedding_shape"),
        ([], "embedding_shape"),
        (b"", "embedding_shape"),
        (["1", "2"], "wrong_modality"),
        ([None, 1.0], "wrong_modality"),
        ([True, False], "wrong_modality"),
        ("a text", "wrong_modality"),
        (Path("a.png"), "wrong_modality"),
        (3.0, "wrong_modality"),
    ],
)
def test_what_is_no_vector_of_that_width_is_refused(source: object, code: str) -> None:
    assert refusal(embedding_of, source, "features", 2)[:2] == (code, None)


def test_templates_are_normalised_averaged_and_normalised() -> None:
    values = np.array([[[10.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 7.0]]], np.float16)
    assert np.allclose(class_feature_vectors(values, 2), [[0.5**0.5, 0.5**0.5], [0, 1]])
    assert np.allclose(class_feature_vectors(torch.tensor(values[0]), 2), [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("values", "code", "field", "says"),
    [
        (np.ones((2, 3)), "class_features_count", "/class_features", "Class features: 2, for 3 classes"),
        (np.ones((3, 2, 3)), "class_features_count", "/class_features", "Class features: 2, for 3 classes"),
        (np.ones(3), "embedding_shape", "/class_features", "[K, d] or [T, K, d]"),
        (np.ones((0, 3, 3)), "embedding_shape", "/class_features", "[0, 3, 3]"),
        (["a", "b", "c"], "wrong_modality", "/class_features", "real numbers"),
        (np.diag([1.0, 0.0, 1.0]), "embedding_zero", "/class_features/1", "Row 1"),
        (np.diag([1.0, 1.0, np.nan]), "embedding_not_finite", "/class_features/2", "Row 2"),
        (np.stack([np.eye(3), np.diag([1.0, 0.0, 1.0])]), "embedding_zero", "/class_features/1/1", "Row 1/1"),
        (np.stack([np.eye(3), np.diag([1.0, -1.0, 1.0])]), "embedding_zero", "/class_features/1", "Row 1"),
    ],
)
def test_class_features_that_cannot_be_used_are_named(values: object, code: str, field: str, says: str) -> None:
    found, where, message = refusal(class_feature_vectors, values, 3)
    assert (found, where) == (code, field)
    assert says in message


def test_embeddings_are_collected_without_torch() -> None:
    script = (
        "import sys, numpy; from pouf_core.data.embeddings import collect_embeddings;"
        "import pouf_core.data.class_features; collect_embeddings(numpy.ones((2, 2))); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
