"""Files that end the process that reads them, and a system that gives it no place to work in."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from pouf_core.data.reading import reader
from store.tables import Dataset
from tests import fragile_reader
from tests.corpus.sheets import workbook
from tests.worker.ingestion.archive_files import rejections, zipped
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

TABLE = (
    b"Text;Stimmung\nein sehr guter Film;gut\nkein guter Film;schlecht\nnoch ein guter Film;gut\nein Flop;schlecht\n"
)


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MODULE", "tests.fragile_reader")


def test_a_file_that_ends_its_reader_fails_a_dataset_of_nothing_else_at_once(
    context: WorkerContext, fragile: None, add_dataset: Any, get: Any, items_of: Any
) -> None:
    dataset_id = add_dataset({"a.txt": fragile_reader.ABORT + b"\n"}, modality="text")
    other_id = add_dataset({"bad.zip": zipped({"a.txt": b"fragile abort \n", "b.txt": b"one text\n"})}, modality="text")
    run_ingestion(context, dataset_id)
    run_ingestion(context, other_id)
    assert rejections(items_of(dataset_id)) == {"a.txt": "reading_crashed"}
    assert get(Dataset, dataset_id).item_count == fragile_reader.ROWS // 500 * 500
    assert get(Dataset, other_id).status == "ready"
    assert get(Dataset, other_id).warnings[0]["code"] == "files_rejected"


def test_files_are_read_without_a_folder_for_temporary_files(
    context: WorkerContext, add_dataset: Any, get: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    book = workbook({"Data": [("text", "label"), ("one good text", "x"), ("other good text", "y")]})
    dataset_id = add_dataset({"a.csv": TABLE, "b.zip": zipped({"b.xlsx": book})}, modality="text")
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.item_count, dataset.rejected_count) == ("ready", 6, 0)
    assert dataset.suggested_class_names == ["gut", "schlecht", "x", "y"]


def test_a_full_disk_ends_the_reading_for_now_and_counts_as_no_attempt(
    context: WorkerContext, add_dataset: Any, get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_id = add_dataset({"a.txt": fragile_reader.NO_SPACE + b"\n"}, modality="text")
    with monkeypatch.context() as full:
        full.setattr(reader, "MODULE", "tests.fragile_reader")
        run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "ready"


@pytest.mark.parametrize("content", [fragile_reader.READ_ONLY, None], ids=["nowhere to write", "no process"])
def test_a_system_on_which_nothing_can_be_read_fails_the_dataset_and_blames_no_file(
    context: WorkerContext, add_dataset: Any, get: Any, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setattr(reader, "MODULE", "tests.fragile_reader" if content else "pouf_core.there_is_no_such_module")
    dataset_id = add_dataset({"a.txt": (content or b"one text") + b"\n"}, modality="text")
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.error_code, dataset.lease_owner) == ("failed", "reader_unavailable", None)
    assert "none of yours is the cause" in dataset.error_message
