"""Limits of tables of pictures, the column with their labels, and what is said of tables that are not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pouf_core.data import sheets, tables_of_pictures
from pouf_core.data.archives.limits import RATIO_FLOOR_BYTES, ArchiveLimits
from pouf_core.data.archives.members import ArchiveError, Refused
from pouf_core.data.item_names import parse_name
from pouf_core.data.labelled_items import collect_labelled
from pouf_core.data.picture_files import find_pictures
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.sheets import USUAL_LIMITS, ReadingLimits
from pouf_core.data.tables_of_pictures import Pictured, is_table_of_pictures, pictures_in_table
from pouf_core.data.text_files import TextOptions
from pouf_core.errors import InvalidInput
from tests.corpus.archives import picture
from tests.corpus.picture_tables import FILES, NAMES, of_datasets, parquet_of

MIB = 1024**2
LIMITS = ArchiveLimits(item_bytes=MIB, archive_entries=100, archive_ratio=200)
LARGE = picture("red") + bytes(MIB)
NAME = parse_name("a.parquet")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileReader]:
    with FileReader(USUAL_LIMITS, tmp_path_factory.mktemp("reading")) as reader:
        yield reader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.parquet"


def test_pictures_come_out_as_they_went_in(reader: FileReader, path: Path) -> None:
    files = [*FILES[:3], picture("red") + bytes(3 * MIB)]
    path.write_bytes(parquet_of(of_datasets(files)))
    limits = ArchiveLimits(item_bytes=4 * MIB, archive_entries=100, archive_ratio=200)
    found = list(pictures_in_table(reader, path, NAME, limits))
    assert [one.data for one in found if isinstance(one, Pictured)] == files


def test_a_picture_that_is_too_large_is_refused_alone(reader: FileReader, path: Path) -> None:
    path.write_bytes(parquet_of(of_datasets([FILES[0], LARGE, *FILES[2:]])))
    found = list(pictures_in_table(reader, path, NAME, LIMITS))
    assert [(one.name.text, one.code) for one in found if isinstance(one, Refused)] == [(NAMES[1], "item_too_large")]
    assert len(found) == 4


def test_a_picture_that_is_stored_once_for_many_rows_is_unpacked_as_far_as_an_archive_may_be(
    reader: FileReader, path: Path
) -> None:
    rows, large = 100, LARGE[:MIB]
    path.write_bytes(parquet_of(of_datasets([large] * rows, [None] * rows, [0] * rows), compression="zstd"))
    assert path.stat().st_size < MIB / 10
    found = []
    with pytest.raises(ArchiveError) as caught:
        for one in pictures_in_table(reader, path, NAME, LIMITS):
            found.append(one)
    assert caught.value.code == "archive_ratio_exceeded"
    assert len(found) == RATIO_FLOOR_BYTES // len(large)


def test_a_table_has_as_many_rows_as_an_archive_may_have_files(reader: FileReader, path: Path) -> None:
    path.write_bytes(parquet_of(of_datasets()))
    few = ArchiveLimits(item_bytes=MIB, archive_entries=3, archive_ratio=200)
    with pytest.raises(ArchiveError) as caught:
        list(pictures_in_table(reader, path, NAME, few))
    assert caught.value.code == "archive_too_many_entries"


def test_what_takes_more_memory_than_is_allowed_is_refused(path: Path, tmp_path: Path) -> None:
    large = LARGE * 64
    path.write_bytes(parquet_of(of_datasets([large] * 4), compression="zstd"))
    limits = ArchiveLimits(item_bytes=2 * len(large), archive_entries=100, archive_ratio=10**6)
    with FileReader(ReadingLimits(memory_bytes=256 * MIB), tmp_path) as small, pytest.raises(InvalidInput) as caught:
        list(pictures_in_table(small, path, NAME, limits))
    assert caught.value.code in ("reading_out_of_memory", "reading_crashed")


@pytest.mark.parametrize(
    ("asked", "labels"),
    [("fine", {"cat", "red panda"}), ("COARSE", {"cat", "red panda"}), (None, set()), ("other", set())],
)
def test_of_several_columns_of_classes_the_caller_names_one(path: Path, asked: str | None, labels: set[str]) -> None:
    table = of_datasets(fine=[0, 1, 1, 0], coarse=[1, 1, 0, 0])
    path.write_bytes(parquet_of(table.drop_columns("label")))
    found = collect_labelled(path, options=TextOptions(label_column=asked))
    assert set(found.labelling.single.values()) == labels
    refused = {None: ["labels_ambiguous"], "other": ["label_column_not_found"]}.get(asked, [])
    assert [(one.name, one.code) for one in found.rejected] == [(str(path), code) for code in refused]


def test_a_damaged_table_is_refused_beside_pictures(path: Path) -> None:
    path.write_bytes(parquet_of(of_datasets())[:-9])
    (path.parent / "a.png").write_bytes(FILES[0])
    found = find_pictures(path.parent)
    assert len(found.paths) == 1
    assert [(one.name, one.code, one.lost) for one in found.rejected] == [(str(path), "malformed_table", "rest")]


def test_without_pyarrow_a_table_is_refused_with_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sheets, tables_of_pictures):
        monkeypatch.setattr(module, "find_spec", lambda _: None)
    path.write_bytes(parquet_of(of_datasets()))
    with pytest.raises(InvalidInput) as caught:
        is_table_of_pictures(path, NAME, USUAL_LIMITS)
    assert caught.value.code == "parquet_not_installed"
