"""Archives as people have them, by both doors: uploads and the library find the same, and what was meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from pouf_core.contract.item_limits import DECODING_CPU_SECONDS, DECODING_MEMORY_BYTES
from pouf_core.data.decoder import Decoder, DecoderLimits
from pouf_core.data.labels.labelling import PictureLabels
from pouf_core.data.picture_files import PictureFiles, find_pictures
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.sheets import ReadingLimits
from pouf_core.data.uploads.keeper import Uploaded
from pouf_core.data.uploads.limits import UploadLimits
from pouf_core.data.uploads.pictures import PictureCollector
from store.leases import claim_dataset, database_now
from store.tables import Upload
from tests.corpus.archives import ARCHIVES, Archive
from tests.corpus.exports import EXPORTED_ARCHIVES
from tests.corpus.picture_tables import PICTURE_TABLES
from worker.ingestion.item_rows import ItemRows
from worker.process_context import WorkerContext


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(DecoderLimits(DECODING_MEMORY_BYTES, DECODING_CPU_SECONDS)) as decoder:
        yield decoder


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileReader]:
    limits = ReadingLimits(DECODING_MEMORY_BYTES, DECODING_CPU_SECONDS)
    with FileReader(limits, tmp_path_factory.mktemp("reading")) as reader:
        yield reader


def ingested(context: WorkerContext, decoder: Decoder, reader: FileReader, dataset_id: str) -> PictureCollector:
    with context.database.write() as session:
        query = select(Upload).where(Upload.dataset_id == dataset_id)
        uploads = [
            Uploaded(one.id, one.filename, one.storage_key, one.size, one.sha256) for one in session.scalars(query)
        ]
        lease = claim_dataset(session, dataset_id, "worker-1", database_now(session), 60)
    assert lease is not None
    rows = ItemRows(context, lease, lambda: None, nullcontext, 500)
    found = PictureCollector(rows, UploadLimits.of(context.settings), reader=reader, decoder=decoder)
    found.collect(uploads)
    rows.flush()
    return found


def found_by_library(path: Path) -> tuple[PictureFiles, Mapping[str, Set[str]]]:
    labels = PictureLabels("auto", most_rows=1000)
    return find_pictures(path, labels), labels.found().labels


EVERY = 3
"""Of so many archives one is read in the default run, the others in the slow one."""
ALL = [
    pytest.param(archive, id=archive.name, marks=[pytest.mark.slow] if number % EVERY else [])
    for number, archive in enumerate((*ARCHIVES, *EXPORTED_ARCHIVES, *PICTURE_TABLES))
]


@pytest.mark.parametrize("archive", ALL)
def test_an_archive_is_read_as_it_was_meant(
    archive: Archive,
    context: WorkerContext,
    decoder: Decoder,
    reader: FileReader,
    add_dataset: Any,
    items_of: Any,
    tmp_path: Path,
) -> None:
    dataset_id = add_dataset({archive.file_name: archive.content})
    found = ingested(context, decoder, reader, dataset_id)
    items = items_of(dataset_id)
    accepted = {item.name: item.sha256 for item in items if item.status == "accepted"}
    labels = {name: label for name, sha256 in accepted.items() for label in found.labelling().labels.get(sha256, ())}
    assert sorted(accepted) == sorted(archive.items)
    assert labels == archive.labels
    assert {item.name: item.code for item in items if item.status == "rejected"} == archive.rejected
    assert (found.skipped, found.duplicates) == (Counter(archive.skipped), archive.duplicates)

    path = tmp_path / "given" / archive.file_name
    path.parent.mkdir()
    path.write_bytes(archive.content)
    by_library, of_library = found_by_library(path)
    assert by_library.paths.keys() == set(accepted.values())
    names = [one.name.removeprefix(f"{path}/").removeprefix(f"{path.parent}/") for one in by_library.rejected]
    assert dict(zip(names, (one.code for one in by_library.rejected), strict=True)) == archive.rejected
    assert by_library.skipped == found.skipped
    assert of_library == found.labelling().labels
