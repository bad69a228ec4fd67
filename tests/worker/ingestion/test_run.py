"""Ingestion of whole datasets: what is kept, what is refused and why, and what survives a killed worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pouf_core.data.items import collect_items, fingerprint
from store.clock import utcnow
from store.leases import claim_dataset
from store.tables import Dataset, Job, OutboxMessage
from tests.worker.ingestion.archive_files import giant_png, rejections, zipped
from worker.ingestion.run import FLUSH_ROWS, run_ingestion
from worker.process_context import WorkerContext

Picture = Callable[..., bytes]


def test_keeps_good_pictures_and_says_why_the_others_are_refused(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    members = {
        "a/one.png": make_picture(1),
        "a/jpeg-by-content.png": make_picture(2, kind="JPEG"),
        "b/three.gif": make_picture(3, kind="GIF"),
        "b/again.png": make_picture(1),
        "b/empty.png": b"",
        "b/broken.png": make_picture(4)[:60],
        "b/giant.png": giant_png(),
        "b/line.png": giant_png(65_000, 1),
        "b/text.jpg": b"not a picture",
        "b/inner.zip": zipped({"x.png": make_picture(5)}),
        "b/inner-in-disguise.png": zipped({"x.png": make_picture(5)}),
        "../escape.png": make_picture(6),
        "/absolute.png": make_picture(7),
        "C:\\windows.png": make_picture(8),
        "a\\..\\..\\climb.png": make_picture(9),
        "__MACOSX/a/._one.png": b"fork",
        ".hidden/secret.png": make_picture(10),
        "b/Thumbs.db": b"thumbs",
        "b/.DS_Store": b"store",
    }
    dataset_id = add_dataset({"pictures.zip": zipped(members)})

    run_ingestion(context, dataset_id)

    dataset = get(Dataset, dataset_id)
    assert dataset.status == "ready"
    assert (dataset.item_count, dataset.duplicate_count) == (3, 1)
    items = items_of(dataset_id)
    assert rejections(items) == {
        "b/empty.png": "empty_file",
        "b/broken.png": "undecodable_image",
        "b/giant.png": "image_too_large",
        "b/line.png": "extreme_aspect_ratio",
        "b/text.jpg": "undecodable_image",
        "b/inner.zip": "nested_archive",
        "b/inner-in-disguise.png": "nested_archive",
        "../escape.png": "unsafe_member_name",
        "/absolute.png": "unsafe_member_name",
        "C:\\windows.png": "unsafe_member_name",
        "a\\..\\..\\climb.png": "unsafe_member_name",
    }
    assert dataset.rejected_count == 11
    assert all(item.message for item in items if item.status == "rejected")
    assert not any("MACOSX" in item.name or "hidden" in item.name or "humbs" in item.name for item in items)
    for item in items_of(dataset_id, "accepted"):
        assert context.storage.local(item.storage_key).stat().st_size == item.size


def test_too_many_pictures_fail_the_dataset(
    make_context: Any, add_dataset: Any, get: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({f"{seed}.png": make_picture(seed) for seed in range(4)})
    run_ingestion(make_context(max_items=3), dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.error_code) == ("failed", "too_many_items")


def test_fingerprint_is_that_of_the_contents_alone(
    context: WorkerContext, add_dataset: Any, get: Any, make_picture: Picture, tmp_path: Any
) -> None:
    pictures = [make_picture(seed) for seed in range(4)]
    one = add_dataset({"pictures.zip": zipped({f"cat/{i}.png": data for i, data in enumerate(pictures)})})
    other = add_dataset({f"picture{i}.png": data for i, data in reversed(list(enumerate(pictures)))})
    for dataset_id in (one, other):
        run_ingestion(context, dataset_id)
    assert get(Dataset, one).fingerprint == get(Dataset, other).fingerprint
    folder = tmp_path / "folder"
    folder.mkdir()
    for index, data in enumerate(pictures):
        (folder / f"{index}.png").write_bytes(data)
    assert get(Dataset, one).fingerprint == fingerprint(collect_items(folder)[0])


def test_duplicate_delivery_does_nothing(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({"a.png": make_picture(1)})
    run_ingestion(context, dataset_id)
    before = get(Dataset, dataset_id).updated_at
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).updated_at == before
    assert len(items_of(dataset_id)) == 1


def test_ingestion_that_was_killed_half_way_starts_again_without_duplicates(
    make_context: Any, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FLUSH_ROWS, "image", 1)
    dataset_id = add_dataset({f"{seed}.png": make_picture(seed) for seed in range(5)})
    calls = iter([False, False, False, True])
    run_ingestion(make_context("first"), dataset_id, shutdown_requested=lambda: next(calls))
    assert get(Dataset, dataset_id).status == "ingesting"
    assert len(items_of(dataset_id)) > 0

    run_ingestion(make_context("second"), dataset_id)

    assert get(Dataset, dataset_id).item_count == 5
    assert len(items_of(dataset_id)) == 5


def test_shutdown_gives_the_dataset_back(
    context: WorkerContext, add_dataset: Any, get: Any, outbox: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({f"{seed}.png": make_picture(seed) for seed in range(3)})
    calls = iter([False, True])
    run_ingestion(context, dataset_id, shutdown_requested=lambda: next(calls))
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)
    assert outbox() == [("pouf.ingest", {"dataset_id": dataset_id})]


def test_deleted_during_ingestion_leaves_no_pictures_behind(
    context: WorkerContext, add_dataset: Any, database: Any, make_picture: Picture
) -> None:
    archive = zipped({f"{seed}.png": make_picture(seed) for seed in range(3)})
    dataset_id = add_dataset({"pictures.zip": archive})

    def delete_meanwhile() -> bool:
        with database.write() as session:
            dataset = session.get(Dataset, dataset_id)
            dataset.deleted_at = utcnow()
            dataset.fence += 1
            dataset.lease_owner = dataset.lease_expires_at = None
        return False

    asked = iter([lambda: False, delete_meanwhile])
    run_ingestion(context, dataset_id, shutdown_requested=lambda: next(asked, lambda: False)())
    assert not context.storage.exists(f"datasets/{dataset_id}")
    with database.write() as session:
        assert claim_dataset(session, dataset_id, "other", utcnow(), 60) is None


def test_waiting_jobs_are_woken_when_the_dataset_is_ready(
    context: WorkerContext, add_dataset: Any, add_job: Any, broker: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({"a.png": make_picture(1)})
    jobs = [add_job(dataset_id) for _ in range(2)]
    run_ingestion(context, dataset_id)
    assert broker.sent == [("pouf.train", "train", {"job_id": job_id}) for job_id in jobs]


def test_waiting_jobs_fail_with_the_dataset(
    context: WorkerContext, add_dataset: Any, add_job: Any, get: Any, database: Any
) -> None:
    dataset_id = add_dataset({"a.png": b"nothing"})
    job_id = add_job(dataset_id)
    run_ingestion(context, dataset_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code) == ("failed", "dataset_failed")
    with database.read() as session:
        assert session.query(OutboxMessage).count() == 0
