"""Ingestion of embeddings: rows become items, kept in one file with their order, and what cannot be used is named."""

from __future__ import annotations

import io
import json
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pouf_core.data.embedding_storage import StoredEmbeddings, load_embeddings
from pouf_core.data.embeddings import collect_embeddings
from pouf_core.data.items import fingerprint
from pouf_core.data.reading.embeddings import embeddings_of
from pouf_core.data.uploads.found_items import LONGEST_MESSAGE
from store.orphans import OrphanCollector
from store.storage import Storage
from store.tables import Dataset, Job
from tests.row_fixtures import insert_job
from tests.waiting import wait_for
from tests.worker.ingestion.archive_files import zipped
from worker.ingestion.run import FLUSH_ROWS, run_ingestion
from worker.process_context import WorkerContext

VECTORS = np.random.default_rng(1).standard_normal((12, 5)).astype(np.float32)


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.fixture
def ingested(context: WorkerContext, add_dataset: Any, get: Any, items_of: Any) -> Callable[..., Any]:
    """Ingests files and returns the dataset and its items."""

    def ingest(files: dict[str, bytes], modality: str = "embedding") -> tuple[Dataset, list[Any]]:
        dataset_id = add_dataset(files, modality=modality)
        run_ingestion(context, dataset_id)
        return get(Dataset, dataset_id), items_of(dataset_id)

    return ingest


def stored(storage: Storage, items: list[Any]) -> StoredEmbeddings:
    (key,) = {item.storage_key for item in items if item.status == "accepted"}
    return load_embeddings(storage.local(key))


def refused(items: list[Any]) -> dict[str, str]:
    return {item.name: item.code for item in items if item.status == "rejected"}


def test_rows_become_items_of_unit_length_in_one_file(ingested: Any, storage: Storage) -> None:
    rows = np.concatenate([VECTORS, 2 * VECTORS[:3], np.zeros((1, 5)), np.full((1, 5), np.nan)])
    dataset, items = ingested({"a.npy": npy(rows)}, modality="auto")
    assert (dataset.status, dataset.modality, dataset.embedding_width) == ("ready", "embedding", 5)
    assert (dataset.item_count, dataset.duplicate_count, dataset.rejected_count) == (12, 3, 2)
    assert refused(items) == {"a.npy[15]": "embedding_zero", "a.npy[16]": "embedding_not_finite"}
    assert [item.name for item in items if item.status == "duplicate"] == ["a.npy[12]", "a.npy[13]", "a.npy[14]"]
    expected = collect_embeddings(VECTORS).items
    found = stored(storage, items)
    assert list(found.items.hashes) == list(expected.hashes)
    np.testing.assert_array_equal(found.items.features, expected.features)
    assert dataset.fingerprint == fingerprint(expected)
    sha256_of = {item.name: item.sha256 for item in items}
    by_row = [found.items.hashes[index] if index >= 0 else None for index in found.item_of_row]
    assert by_row == [sha256_of[f"a.npy[{row}]"] for row in range(17)]


@pytest.mark.parametrize("shape", [(2, 6, 5), (12, 5)], ids=["T-K-d", "TK-d"])
def test_class_features_are_given_back_in_their_order(ingested: Any, storage: Storage, shape: tuple[int, ...]) -> None:
    rows = VECTORS.copy()
    rows[9] = rows[2]  # two classes share a vector, and both keep it
    dataset, items = ingested({"classes.npy": npy(rows.reshape(shape))})
    assert dataset.embedding_templates == (2 if len(shape) == 3 else None)
    assert (dataset.item_count, dataset.duplicate_count) == (11, 1)
    (repeated,) = (item.name for item in items if item.status == "duplicate")
    assert repeated == ("classes.npy[1,3]" if len(shape) == 3 else "classes.npy[9]")
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(stored(storage, items).as_class_features(6), unit.reshape(2, 6, 5), atol=1e-6)


def test_files_of_one_dataset_follow_each_other_and_have_one_width(ingested: Any, storage: Storage) -> None:
    files = {"a.npy": npy(VECTORS[:4]), "b.npy": npy(VECTORS[:, :3]), "c.npz": npz(features=VECTORS[3:])}
    dataset, items = ingested(files, modality="auto")
    assert (dataset.item_count, dataset.duplicate_count, refused(items)) == (12, 1, {"b.npy": "embedding_width"})
    found = stored(storage, items)
    np.testing.assert_array_equal(
        found.items.features[found.item_of_row], collect_embeddings(VECTORS).items.features[_rows(VECTORS)]
    )


def _rows(vectors: Any) -> Any:
    """The item of each row of a dataset that holds the fourth twice."""
    rows = collect_embeddings(vectors).item_of_row
    return np.concatenate([rows[:4], rows[3:]])


def test_an_array_of_three_dimensions_stands_alone(ingested: Any) -> None:
    cube = npy(VECTORS.reshape(2, 6, 5))
    for files in ({"a.npy": npy(VECTORS), "b.npy": cube}, {"a.npy": cube, "b.npy": npy(VECTORS)}):
        assert refused(ingested(files)[1]) == {"b.npy": "embedding_shape"}


def test_labels_are_kept_apart(ingested: Any) -> None:
    labels = np.array(["fox", "wren"] * 6)
    dataset, items = ingested({"a.npz": npz(features=VECTORS, labels=labels)})
    assert (dataset.labelled_count, dataset.suggested_class_names) == (12, ["fox", "wren"])
    assert {item.name: item.label for item in items} == {f"a.npz[{row}]": label for row, label in enumerate(labels)}
    assert dataset.fingerprint == ingested({"b.npy": npy(VECTORS)})[0].fingerprint


def test_items_are_called_as_the_file_calls_its_vectors(ingested: Any) -> None:
    names = [f"shore/{row}\u202e.jpg" for row in range(11)]
    dataset, items = ingested({"a.npz": npz(features=VECTORS, ids=np.array([*names, ""]))})
    assert [item.name for item in items] == [*(name.replace("\u202e", "\ufffd") for name in names), "a.npz[11]"]
    assert dataset.fingerprint == ingested({"b.npy": npy(VECTORS)})[0].fingerprint


def test_files_in_an_archive_are_read_and_others_refused(ingested: Any) -> None:
    archive = zipped({"a.npy": npy(VECTORS[:4]), "b/c.npy": npy(VECTORS[4:]), "d.txt": b"a text"})
    dataset, items = ingested({"all.zip": archive})
    assert (dataset.item_count, refused(items)) == (12, {"d.txt": "unknown_embedding_file"})
    assert Counter(item.name.split("[")[0] for item in items) == {"a.npy": 4, "b/c.npy": 8, "d.txt": 1}


@pytest.mark.parametrize(("modality", "name"), [("image", "a.npy"), ("text", "a.npy"), ("embedding", "a.png")])
def test_a_file_of_another_modality_is_refused(ingested: Any, make_picture: Any, modality: str, name: str) -> None:
    content = make_picture(1) if name.endswith("png") else npy(VECTORS)
    dataset, items = ingested({name: content}, modality=modality)
    assert (dataset.status, dataset.error_code) == ("failed", "no_usable_items")
    codes = {"image": "undecodable_image", "text": "unknown_text_file", "embedding": "unknown_embedding_file"}
    assert refused(items) == {name: codes[modality]}


@pytest.mark.parametrize("odd", ["b", "\ud800b"])
def test_names_inside_a_file_are_shown_as_databases_can_store_them(ingested: Any, odd: str) -> None:
    tensor = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    header = json.dumps({"\0a": tensor, odd: {**tensor, "data_offsets": [1, 2]}}).encode()
    _, items = ingested({"a.safetensors": struct.pack("<Q", len(header)) + header + b"ab"})
    assert items[0].code == ("several_arrays" if odd == "b" else "embedding_file_corrupt")
    assert not {"\0", "\ud800"} & set(items[0].message)


def test_a_message_does_not_grow_with_what_a_header_claims(ingested: Any) -> None:
    header = json.dumps({"features": {"dtype": "F32", "shape": [1] * 100_000, "data_offsets": [0, 4]}}).encode()
    _, items = ingested({"a.safetensors": len(header).to_bytes(8, "little") + header + bytes(4)})
    assert (items[0].code, len(items[0].message)) == ("embedding_shape", LONGEST_MESSAGE)


def test_the_lease_is_kept_while_a_file_is_unpacked(
    make_context: Any, add_dataset: Any, get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = []

    def until_it_is_renewed(*arguments: Any) -> Any:
        before = get(Dataset, dataset_id).lease_expires_at
        wait_for(lambda: get(Dataset, dataset_id).lease_expires_at > before)
        unpacked.append(arguments)
        return embeddings_of(*arguments)

    monkeypatch.setattr("pouf_core.data.uploads.embeddings.embeddings_of", until_it_is_renewed)
    dataset_id = add_dataset({"a.npy": npy(VECTORS)}, modality="embedding")
    run_ingestion(make_context(lease_renew_seconds=0.1), dataset_id)
    assert len(unpacked) == 1
    assert get(Dataset, dataset_id).status == "ready"


def test_more_vectors_than_the_operator_allows_fail_the_dataset(
    make_context: Any, add_dataset: Any, get: Any, storage: Storage
) -> None:
    dataset_id = add_dataset({"a.npy": npy(VECTORS)}, modality="embedding")
    run_ingestion(make_context(max_items=11), dataset_id)
    assert (get(Dataset, dataset_id).status, get(Dataset, dataset_id).error_code) == ("failed", "too_many_items")
    dataset_id = add_dataset({"a.npy": npy(VECTORS)}, modality="embedding")
    run_ingestion(make_context(max_items=2), dataset_id)
    assert get(Dataset, dataset_id).error_code == "no_usable_items"


def test_ingestion_that_was_killed_half_way_starts_again(
    make_context: Any, add_dataset: Any, get: Any, items_of: Any, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FLUSH_ROWS, "embedding", 1)
    dataset_id = add_dataset({f"{part}.npy": npy(VECTORS[part::3]) for part in range(3)}, modality="embedding")
    run_ingestion(make_context("first"), dataset_id, shutdown_requested=lambda: bool(items_of(dataset_id)))
    assert get(Dataset, dataset_id).status == "ingesting"
    assert len(items_of(dataset_id)) > 0
    context = make_context("second")
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).item_count == len(items_of(dataset_id)) == 12
    assert len(stored(storage, items_of(dataset_id)).items) == 12
    assert list(context.settings.staging_dir.iterdir()) == []


def test_the_file_of_a_dataset_is_no_orphan(ingested: Any, database: Any, storage: Storage) -> None:
    dataset, _ = ingested({"a.npy": npy(VECTORS)})
    assert OrphanCollector(database, storage).collect(dataset.ready_at.timestamp() + 3600) == []


def test_a_job_waits_for_both_datasets_and_is_checked_with_each(
    context: WorkerContext, database: Any, add_dataset: Any, get: Any, broker: Any
) -> None:
    names = [f"class {number}" for number in range(6)]

    def waiting_job(classes: Any) -> tuple[str, str, str]:
        dataset_id = add_dataset({"a.npy": npy(VECTORS)}, modality="embedding")
        classes_id = add_dataset({"b.npy": npy(classes)}, modality="embedding")
        values = {"base_model": "features", "class_names": names, "class_features_dataset_id": classes_id}
        method = {"tune": "prototypes"}
        return insert_job(database, dataset_id, method, prompt_template=None, **values), dataset_id, classes_id

    def trained() -> list[str]:
        return [payload["job_id"] for _, queue, payload in broker.sent if queue == "train"]

    for first, second in ((1, 2), (2, 1)):
        job = waiting_job(VECTORS[:6])
        run_ingestion(context, job[first])
        assert job[0] not in trained()
        run_ingestion(context, job[second])
        assert job[0] in trained()
    for classes, code in [
        (VECTORS[:5], "class_features_count"),
        (VECTORS.reshape(3, 4, 5), "class_features_count"),
        (VECTORS[:6, :4], "class_features_width"),
        (np.concatenate([VECTORS[:6], np.zeros((1, 5))]), "class_features_rejected"),
    ]:
        job = waiting_job(classes)
        run_ingestion(context, job[1])
        run_ingestion(context, job[2])
        assert (get(Job, job[0]).status, get(Job, job[0]).error_code) == ("failed", code)
        assert job[0] not in trained()


@pytest.mark.parametrize(
    ("table", "labels", "warned"),
    [
        ("label\ncat\ndog\n\ncat\n", {0: "cat", 1: "dog", 2: "cat"}, []),
        ("label;note\ncat;x\nnan;y\ndog;z\n", {0: "cat", 2: "dog"}, []),
        ("index,label\n2,cat\n0,dog\n", {2: "cat", 0: "dog"}, []),
        ("label\ncat\ndog\n", {}, ["labels_do_not_fit"]),
        ("row,label\n3,cat\n", {}, ["labels_do_not_fit"]),
    ],
)
def test_a_table_beside_embeddings_labels_their_rows(
    table: str, labels: dict[int, str], warned: list[str], ingested: Any
) -> None:
    dataset, items = ingested({"a.npy": npy(VECTORS[:3]), "labels.csv": table.encode()}, modality="auto")
    assert (dataset.status, dataset.modality, dataset.rejected_count) == ("ready", "embedding", 0)
    found = {item.name: item.label for item in items if item.label is not None}
    assert found == {f"a.npy[{row}]": label for row, label in labels.items()}
    assert dataset.label_source["kind"] == ("file" if labels else "none")
    assert [warning["code"] for warning in dataset.warnings] == warned
