"""Evaluation labels from directories and tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from store.tables import Dataset, DatasetItem
from tests.worker.ingestion.archive_files import rejections, zipped
from worker.ingestion import completion
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

Picture = Callable[..., bytes]


def test_directories_below_a_wrapping_one_are_labels(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    members = {f"pictures/data/{'cat' if seed % 2 else 'dog'}/{seed}.png": make_picture(seed) for seed in range(4)}
    dataset_id = add_dataset({"pictures.zip": zipped(members), "loose.png": make_picture(9)})
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert dataset.suggested_class_names == ["cat", "dog"]
    assert dataset.labelled_count == 4
    assert {item.name: item.label for item in items_of(dataset_id, "accepted")} == {
        **{name: name.split("/")[2] for name in members},
        "loose.png": None,
    }


def test_a_single_directory_is_no_label(
    context: WorkerContext, add_dataset: Any, get: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset(
        {"pictures.zip": zipped({f"pictures/{seed}.png": make_picture(seed) for seed in range(3)})}
    )
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.labelled_count, dataset.suggested_class_names) == (0, [])


@pytest.mark.parametrize("inside", [True, False])
def test_a_labels_table_takes_precedence_over_directories(
    inside: bool, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    table = "\ufefffile,label,note\nimages/1.png,cat,x\n./images/2.png,dog\nmissing.png,cow\n3.png,\n".encode()
    members = {f"images/{seed}.png": make_picture(seed) for seed in (1, 2, 3)}
    files = (
        {"pictures.zip": zipped(members | {"labels.csv": table})}
        if inside
        else {
            "labels.csv": table,
            "pictures.zip": zipped(members),
        }
    )
    dataset_id = add_dataset(files)
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.item_count, dataset.rejected_count, dataset.labelled_count) == (3, 0, 2)
    assert [item.label for item in items_of(dataset_id, "accepted")] == ["cat", "dog", None]
    assert dataset.suggested_class_names == ["cat", "dog"]


@pytest.mark.parametrize("table", [b"who,what\na.png,cat\n", b"file,notes\na.png,\n", b""])
def test_unreadable_labels_table_is_refused(
    table: bytes, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({"a.png": make_picture(1), "labels.csv": table})
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "ready"
    assert rejections(items_of(dataset_id)) == {"labels.csv": "labels_unreadable"}


@pytest.mark.parametrize(
    "table",
    [
        b"filename,label\ncafe.png,Kaffee\n",
        b"image,class\r\ncafe.png,Kaffee\r\n",
        b"path;target\nimages/cafe.png;Kaffee\n",
        b"id\tfile_name\ty\n1\tcafe.png\tKaffee\n",
        "sep=;\r\nFile;Label\r\ncafe.png;Kaffee\r\n".encode("utf-16"),
        "file;category\ncaf\u00e9.png;Kaffee\n".encode("cp1252"),
        "file,label\ncaf\u00e9.png,Kaffee\n".encode(),
    ],
)
def test_labels_tables_are_read_as_people_write_them(
    table: bytes, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    by_macos = "images/cafe\u0301.png"  # which writes accents apart
    dataset_id = add_dataset(
        {"pictures.zip": zipped({by_macos: make_picture(1), "images/cafe.png": make_picture(2)}), "labels.csv": table}
    )
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).rejected_count == 0
    assert [item.label for item in items_of(dataset_id, "accepted")].count("Kaffee") == 1


def test_contradicting_labels_are_dropped_and_shown(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    members = {"cat/1.png": make_picture(1), "dog/1.png": make_picture(1), "dog/2.png": make_picture(2)}
    dataset_id = add_dataset({"pictures.zip": zipped(members)})
    run_ingestion(context, dataset_id)
    first, second = items_of(dataset_id, "accepted")
    assert (first.label, first.code) == (None, "conflicting_labels")
    assert (second.label, second.code) == ("dog", None)
    assert get(Dataset, dataset_id).labelled_count == 1


def test_of_many_contradicting_labels_an_item_names_some(
    context: WorkerContext, add_dataset: Any, items_of: Any, make_picture: Picture
) -> None:
    members = {f"{number:02}{'x' * 100}/1.png": make_picture(1) for number in range(30)}
    run_ingestion(context, dataset_id := add_dataset({"pictures.zip": zipped(members)}))
    (item,) = items_of(dataset_id, "accepted")
    assert item.message.startswith(f"Labels contradict each other and are not used: '00{'x' * 58}…', '01x")
    assert item.message.endswith(" and 20 more")


def test_labels_are_written_in_several_transactions(
    context: WorkerContext,
    add_dataset: Any,
    get: Any,
    items_of: Any,
    make_picture: Picture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(completion, "LABEL_BATCH", 2)
    updates: list[int] = []
    labelled = 0

    def count(session: Any) -> None:
        nonlocal labelled
        query = select(func.count()).where(DatasetItem.label.is_not(None))
        now = session.scalar(query)
        updates.append(now - labelled)
        labelled = now

    event.listen(Session, "before_commit", count)
    try:
        members = {f"{'cat' if seed % 2 else 'dog'}/{seed}.png": make_picture(seed) for seed in range(7)}
        dataset_id = add_dataset({"pictures.zip": zipped(members)})
        run_ingestion(context, dataset_id)
    finally:
        event.remove(Session, "before_commit", count)
    assert [number for number in updates if number] == [2, 2, 2, 1]
    assert get(Dataset, dataset_id).labelled_count == 7
    assert all(item.label == item.name.split("/")[0] for item in items_of(dataset_id, "accepted"))
