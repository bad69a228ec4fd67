"""Files of many items in archives may be larger than one item: tables, lines of texts, vectors."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import pouf_core.data.source_files as module
from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.source_files import SourceFiles
from store.tables import Dataset
from tests.corpus.labels import picture
from tests.corpus.picture_tables import parquet_of
from tests.worker.ingestion.archive_files import rejections, tarred, zipped
from worker.ingestion.run import run_ingestion

ITEM_BYTES = 2000
ROWS = 100
CSV = ("text,label\n" + "".join(f'"a line of text, number {row}",{row % 2}\n' for row in range(ROWS))).encode()
PACKS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda members: tarred(members, "w:gz"),
}


@pytest.fixture
def ingested(make_context: Any, add_dataset: Any, get: Any, items_of: Any) -> Callable[..., Any]:
    """Ingests files of which an item may have `ITEM_BYTES`; returns the dataset and its items."""

    def ingest(files: dict[str, bytes], modality: str = "auto") -> tuple[Dataset, list[Any]]:
        dataset_id = add_dataset(files, modality=modality)
        run_ingestion(make_context(max_item_bytes=ITEM_BYTES), dataset_id)
        return get(Dataset, dataset_id), items_of(dataset_id)

    return ingest


@pytest.mark.parametrize("form", PACKS)
def test_all_rows_of_a_large_table_are_read(form: str, ingested: Any) -> None:
    assert len(CSV) > ITEM_BYTES
    dataset, items = ingested({f"a.{form}": PACKS[form]({"data/big.csv": CSV, "small.csv": b"text,label\nlast,1\n"})})
    assert (dataset.status, dataset.modality, dataset.item_count) == ("ready", "text", ROWS + 1)
    assert {item.label for item in items} == {"0", "1"}
    assert items[0].name == "data/big.csv:2"


def test_folders_label_the_texts_of_large_files_too(ingested: Any) -> None:
    lines = {kind: "".join(f"{kind} text number {row}\n" for row in range(ROWS)).encode() for kind in ("bad", "good")}
    _, items = ingested({"a.zip": zipped({f"{kind}/all.txt": text for kind, text in lines.items()})})
    assert {item.text[:4].strip() for item in items if item.label == "bad"} == {"bad"}
    assert {item.label for item in items} == {"bad", "good"}


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_large_files_of_vectors_are_read(form: str, ingested: Any) -> None:
    stream = io.BytesIO()
    np.save(stream, np.random.default_rng(0).standard_normal((ROWS, 16)).astype("float32"))
    dataset, _ = ingested({f"a.{form}": PACKS[form]({"vectors.npy": stream.getvalue()})})
    assert (dataset.modality, dataset.item_count) == ("embedding", ROWS)


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_pictures_of_a_large_table_are_read_each_up_to_its_limit(form: str, ingested: Any) -> None:
    files = [picture(seed) for seed in range(20)]
    rows = [{"bytes": content, "path": f"{seed}.png"} for seed, content in enumerate(files)]
    rows.append({"bytes": bytes(ITEM_BYTES + 1), "path": "large.png"})
    table = parquet_of(pa.table({"image": pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))}))
    assert len(table) > ITEM_BYTES > max(map(len, files))
    dataset, items = ingested({f"a.{form}": PACKS[form]({"data/train.parquet": table})})
    assert (dataset.modality, dataset.item_count) == ("image", len(files))
    assert rejections(items) == {"large.png": "item_too_large"}


def damaged(members: dict[str, bytes], name: str) -> bytes:
    """A zip in which a byte of a member's content is another."""
    archive = bytearray(zipped(members))
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        archive[opened.getinfo(name).header_offset + 200] ^= 0xFF
    return bytes(archive)


def test_of_a_zip_with_a_damaged_large_table_the_other_files_are_read(ingested: Any) -> None:
    dataset, items = ingested({"a.zip": damaged({"big.csv": CSV, "small.csv": b"text\nlast one\n"}, "big.csv")})
    assert dataset.item_count == 1
    assert rejections(items) == {"big.csv": "member_corrupt"}


def test_a_tar_that_ends_within_a_large_table_is_damaged(ingested: Any) -> None:
    dataset, items = ingested({"a.tar": tarred({"small.csv": b"text\nfirst one\n", "big.csv": CSV})[:3000]})
    assert dataset.item_count == 1
    assert rejections(items) == {"a.tar": "archive_corrupt"}


def test_a_large_table_counts_among_what_an_archive_may_unpack_to(
    make_context: Any, add_dataset: Any, get: Any, items_of: Any
) -> None:
    rows = b"text\n" + b"the same text again\n" * 10**6
    dataset_id = add_dataset({"a.zip": zipped({"big.csv": rows})}, modality="text")
    run_ingestion(make_context(max_item_bytes=ITEM_BYTES, max_archive_ratio=2), dataset_id)
    assert get(Dataset, dataset_id).status == "failed"
    assert rejections(items_of(dataset_id)) == {"a.zip": "archive_ratio_exceeded"}


@pytest.mark.parametrize("form", PACKS)
def test_the_library_reads_them_too(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = ArchiveLimits(item_bytes=ITEM_BYTES, archive_entries=10, archive_ratio=100)
    monkeypatch.setattr(module, "LIBRARY_LIMITS", limits)
    archive = tmp_path / f"a.{form}"
    archive.write_bytes(PACKS[form]({"big.csv": CSV, "big.png": bytes(ITEM_BYTES + 1), "small.csv": b"text\nlast\n"}))
    files = SourceFiles(archive)
    assert [(file.name.text, file.path.read_bytes()) for file in files] == [
        ("big.csv", CSV),
        ("small.csv", b"text\nlast\n"),
    ]
    assert [rejected.code for rejected in files.rejected] == ["item_too_large"]
