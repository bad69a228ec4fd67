"""While one member of an archive is read, however large: the lease lives on, and requests to end are noticed."""

from __future__ import annotations

import gzip
import io
import tarfile
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from store.clock import utcnow
from store.leases import expired
from store.tables import Dataset
from tests.waiting import WAIT_SECONDS, wait_for
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

#: Packs a thousand to one.
SKIPPED_BYTES = 200 * 1024**2
LONG_MEMBER = {"lease_renew_seconds": 0.1, "max_archive_ratio": 10_000.0}


class Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


@pytest.fixture(scope="module")
def large_member() -> bytes:
    stream = io.BytesIO()
    packed = gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1)
    with packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        info = tarfile.TarInfo("large.png")
        info.size = SKIPPED_BYTES
        archive.addfile(info, Zeros())
    return stream.getvalue()


def test_a_lease_is_renewed_again_and_again_while_a_member_is_passed_over(
    make_context: Callable[..., WorkerContext], add_dataset: Any, get: Any, large_member: bytes
) -> None:
    dataset_id = add_dataset({"large.tar.gz": large_member})
    renewals: list[datetime] = []

    def until_it_is_renewed() -> bool:
        before = get(Dataset, dataset_id).lease_expires_at if len(renewals) < 5 else None
        if before is not None:
            renewals.append(before)
            wait_for(lambda: get(Dataset, dataset_id).lease_expires_at > before)
        return False

    context = make_context(**LONG_MEMBER)
    run_ingestion(context, dataset_id, shutdown_requested=until_it_is_renewed)
    assert len(renewals) == 5
    assert get(Dataset, dataset_id).error_code == "no_usable_items"


def test_a_shutdown_is_noticed_within_a_member(
    make_context: Callable[..., WorkerContext], add_dataset: Any, get: Any, large_member: bytes
) -> None:
    dataset_id = add_dataset({"large.tar.gz": large_member})
    asked = iter([False] * 5)
    run_ingestion(make_context(**LONG_MEMBER), dataset_id, shutdown_requested=lambda: next(asked, True))
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)


def test_a_deletion_is_noticed_within_a_member(
    make_context: Callable[..., WorkerContext], add_dataset: Any, database: Any, large_member: bytes
) -> None:
    dataset_id = add_dataset({"large.tar.gz": large_member})
    context = make_context(**LONG_MEMBER)
    deleted = threading.Event()

    def delete() -> None:
        while not deleted.is_set():
            with database.write() as session:
                dataset = session.get(Dataset, dataset_id)
                if dataset.lease_owner:
                    dataset.deleted_at = utcnow()
                    dataset.fence += 1
                    dataset.lease_owner = dataset.lease_expires_at = None
                    deleted.set()
            time.sleep(0.01)

    deleter = threading.Thread(target=delete)
    deleter.start()
    blocks = []

    def count_blocks() -> bool:
        blocks.append(1)
        if len(blocks) == 10:  # within the member
            assert deleted.wait(WAIT_SECONDS)
        return False

    run_ingestion(context, dataset_id, shutdown_requested=count_blocks)
    deleter.join()
    assert 0 < len(blocks) < SKIPPED_BYTES // tarfile.RECORDSIZE  # it did not read on to the end
    assert not context.storage.exists(f"datasets/{dataset_id}")


def test_an_ingestion_that_gets_on_with_nothing_loses_its_lease(
    make_context: Callable[..., WorkerContext], add_dataset: Any, database: Any, make_picture: Any, monkeypatch: Any
) -> None:
    losses = []

    def hang(*_: Any) -> bool:
        time.sleep(3)
        with database.read() as session:
            losses.extend(expired(session, Dataset, utcnow()))
        return False

    dataset_id = add_dataset({"a.png": make_picture(1)})
    context = make_context(**LONG_MEMBER, lease_seconds=2.0, progress_timeout=0.2)
    monkeypatch.setattr("pouf_core.data.uploads.collector.kind_of_upload", hang)
    run_ingestion(context, dataset_id)
    assert losses == [dataset_id]
