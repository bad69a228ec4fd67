"""What the limits of the uploading key leave for what archives unpack to."""

import io
import zipfile
from typing import Any

import pytest

from store import usage
from store.ids import new_id
from store.scope import Scope
from store.tables import Dataset
from worker.ingestion.run import run_ingestion


@pytest.fixture
def pack(make_picture: Any) -> Any:
    """A zip of so many pictures, and the bytes that they unpack to."""

    def make(count: int) -> tuple[bytes, int]:
        pictures = [make_picture(seed) for seed in range(count)]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number, picture in enumerate(pictures):
                archive.writestr(f"{number}.png", picture)
        return buffer.getvalue(), sum(map(len, pictures))

    return make


@pytest.fixture
def ingest(context: Any, add_dataset: Any, database: Any, get: Any) -> Any:
    def run(files: dict[str, bytes], **limits: int) -> Dataset:
        dataset_id = add_dataset(files)
        with database.write() as session:
            row = session.get_one(Dataset, dataset_id)
            row.owner_limits = {"items": 1000, "stored_bytes": 10**9, **limits}
        run_ingestion(context, dataset_id)
        return get(Dataset, dataset_id)

    return run


def test_items_of_other_datasets_of_the_owner_count(ingest: Any, pack: Any, database: Any) -> None:
    archive, _ = pack(3)
    for owner, count in (("local", 7), ("somebody", 100)):
        with database.write() as session:
            values = {"owner": owner, "modality": "image", "status": "ready", "item_count": count}
            session.add(Dataset(id=new_id("ds"), **values))
    assert ingest({"a.zip": archive}, items=10).status == "ready"
    refused = ingest({"a.zip": archive}, items=12)
    assert (refused.status, refused.error_code) == ("failed", "items_limit")
    assert "2 more" in refused.error_message


def test_what_an_archive_unpacks_to_counts(ingest: Any, pack: Any) -> None:
    archive, unpacked = pack(3)
    allowed = ingest({"a.zip": archive}, stored_bytes=len(archive) + unpacked)
    assert (allowed.status, allowed.extracted_bytes) == ("ready", unpacked)
    both = 2 * (len(archive) + unpacked)
    refused = ingest({"a.zip": archive}, stored_bytes=both - 1)
    assert (refused.status, refused.error_code) == ("failed", "stored_bytes_limit")
    # what was stored until then is still there, and takes room
    assert 0 < refused.extracted_bytes < unpacked


def test_loose_pictures_are_not_counted_twice(ingest: Any, make_picture: Any) -> None:
    picture = make_picture(1)
    dataset = ingest({"a.png": picture}, stored_bytes=len(picture))
    assert (dataset.status, dataset.extracted_bytes) == ("ready", 0)


def test_an_ingestion_that_is_done_again_does_not_count_itself(
    context: Any, ingest: Any, pack: Any, database: Any, get: Any
) -> None:
    archive, unpacked = pack(3)
    limits = {"items": 3, "stored_bytes": len(archive) + unpacked}
    dataset = ingest({"a.zip": archive}, **limits)
    with database.write() as session:
        session.get_one(Dataset, dataset.id).status = "ingesting"
        session.get_one(Dataset, dataset.id).lease_owner = None
    run_ingestion(context, dataset.id)
    assert get(Dataset, dataset.id).status == "ready"


def test_without_keys_only_the_operators_limits_hold(context: Any, add_dataset: Any, pack: Any, get: Any) -> None:
    dataset_id = add_dataset({"a.zip": pack(3)[0]})
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "ready"


def test_entries_that_are_no_items_take_room_in_the_database(
    make_context: Any, add_dataset: Any, database: Any, get: Any
) -> None:
    limits = {"items": 1000, "stored_bytes": 10**9}

    def taken() -> int:
        with database.read() as session:
            return usage.database_bytes(Scope(session, "local"))

    def ingest(room: int) -> Dataset:
        table = {"a.csv": b"text\n" + 100 * b"the same\n"}
        dataset_id = add_dataset(table, modality="text", owner_limits=limits)
        run_ingestion(make_context(key_database_bytes=taken() + room * usage.BYTES_OF_ENTRY), dataset_id)
        return get(Dataset, dataset_id)

    read = ingest(room=100)
    assert (read.status, read.item_count, read.entry_count) == ("ready", 1, 100)
    refused = ingest(room=99)
    assert (refused.status, refused.error_code, refused.entry_count) == ("failed", "database_bytes_limit", 99)
    assert taken() > 199 * usage.BYTES_OF_ENTRY
