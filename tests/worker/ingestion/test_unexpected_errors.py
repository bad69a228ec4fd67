"""Whatever error a file causes ends in a rejected item or a failed dataset, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

from pouf_core.data.decoder import Decoder
from store.outages import StorageUnavailable
from store.tables import Dataset, Job
from tests.worker.ingestion.archive_files import rejections, zipped
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

Picture = Callable[..., bytes]
TABLE = "text,label\na fine film,pos\na dull film,neg\n"


def a_bug(*_: Any, **__: Any) -> Iterator[Any]:
    raise RecursionError("no one thought of this file")


def test_an_error_that_no_one_thought_of_rejects_the_file_that_causes_it_alone(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture, monkeypatch: Any
) -> None:
    check = Decoder.check

    def check_most(decoder: Decoder, data: bytes, pixels: int) -> None:
        if data == make_picture(1):
            a_bug()
        check(decoder, data, pixels)

    monkeypatch.setattr(Decoder, "check", check_most)
    members = {f"{seed}.png": make_picture(seed) for seed in range(3)}
    dataset_id = add_dataset({"loose.png": make_picture(3), "pictures.zip": zipped(members)})

    run_ingestion(context, dataset_id)

    assert (get(Dataset, dataset_id).status, get(Dataset, dataset_id).item_count) == ("ready", 3)
    assert rejections(items_of(dataset_id)) == {"1.png": "unreadable_file"}


def test_an_archive_whose_reading_fails_is_rejected_and_the_others_are_read(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture, monkeypatch: Any
) -> None:
    monkeypatch.setattr("pouf_core.data.archives.reading.read_zip", a_bug)
    dataset_id = add_dataset({"bad.zip": zipped({"1.png": make_picture(1)}), "good.png": make_picture(2)})
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).item_count == 1
    assert rejections(items_of(dataset_id)) == {"bad.zip": "unreadable_file"}


def test_an_error_in_what_all_files_make_together_fails_the_dataset_and_its_jobs(
    context: WorkerContext, add_dataset: Any, add_job: Any, get: Any, make_picture: Picture, monkeypatch: Any
) -> None:
    monkeypatch.setattr("pouf_core.data.uploads.pictures.PictureCollector.labelling", a_bug)
    dataset_id = add_dataset({"a.png": make_picture(1)})
    job_id = add_job(dataset_id)
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.error_code, dataset.lease_owner) == ("failed", "ingestion_failed", None)
    assert "no one thought" not in dataset.error_message
    assert get(Job, job_id).error_code == "dataset_failed"


def test_a_storage_that_is_away_fails_nothing_and_counts_as_no_attempt(
    context: WorkerContext, add_dataset: Any, get: Any, make_picture: Picture, monkeypatch: Any
) -> None:
    def away(*_: Any) -> None:
        raise StorageUnavailable("no route to host")

    dataset_id = add_dataset({"a.png": make_picture(1)})
    with monkeypatch.context() as outage:
        outage.setattr("pouf_core.data.uploads.collector.kind_of_upload", away)
        run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "ready"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_table_in_another_encoding_is_read(
    encoding: str, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any
) -> None:
    content = TABLE.encode(encoding)
    mark = b"" if encoding in ("utf-16", "utf-32") else "\ufeff".encode(encoding)
    dataset_id = add_dataset({"a.csv": mark + content}, modality="text")
    run_ingestion(context, dataset_id)
    assert (get(Dataset, dataset_id).item_count, get(Dataset, dataset_id).rejected_count) == (2, 0)
    assert {item.label for item in items_of(dataset_id, "accepted")} == {"pos", "neg"}


def test_lone_surrogates_reach_no_row(context: WorkerContext, add_dataset: Any, get: Any, items_of: Any) -> None:
    lines = b'{"text": "a \\ud800 b"}\n{"text": "fine", "label": "\\ud801"}\n{"text": "good", "label": "\\udcff"}\n'
    dataset_id = add_dataset({"a.jsonl": lines}, modality="text")
    run_ingestion(context, dataset_id)
    assert (get(Dataset, dataset_id).item_count, get(Dataset, dataset_id).rejected_count) == (2, 1)
    assert [item.label for item in items_of(dataset_id, "accepted")] == ["?", "?"]


def test_a_database_without_space_ends_the_ingestion_for_now(
    context: WorkerContext, database: Any, add_dataset: Any, get: Any
) -> None:
    lines = "".join(f"the text number {number}\n" for number in range(3000)).encode()
    dataset_id = add_dataset({"a.txt": lines}, modality="text")
    database.dispose()
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=1"))
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)
