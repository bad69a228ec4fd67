"""The process that reads files: what hostile files can and cannot do to it, and that rows come out unchanged."""

from __future__ import annotations

import errno
import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from pouf_core.data import process_watch
from pouf_core.data.embedding_files import FileLimits
from pouf_core.data.limited_process import ReaderUnavailable
from pouf_core.data.reading import reader as reader_module
from pouf_core.data.reading.embeddings import embeddings_of
from pouf_core.data.reading.labels import label_pairs_of, row_labels_of
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.reading.texts import texts_of
from pouf_core.data.sheets import ReadingLimits
from pouf_core.data.text_files import Reading, Row, TextOptions, read_texts
from pouf_core.data.text_tables import AmbiguousTable
from pouf_core.errors import InvalidInput
from tests import fragile_reader
from tests.corpus.sheets import workbook
from tests.waiting import has_ended

MIB = 1024**2
#: Of computing; waited for several times as long.
PLENTY = 60.0
TABLE = "text,label\n" + "".join(f'"a film, number {number}",{"pos" if number % 2 else ""}\n' for number in range(1500))
FILES = {
    "a.csv": TABLE.encode(),
    "latin.csv": "Nr;Text;Stimmung\n1;Schöner Film, wirklich;gut\n2;Öde, ganz öde;schlecht\n".encode("cp1252"),
    "mixed.txt": b"caf\xe9\nna\xc3\xafve\n\n" + b"x" * 900_000 + b"\na\0b\n",
    "a.jsonl": b'{"text_a": "one", "text_b": "two"}\n{"text": "a \\ud800 b"}\n{"text": 1}\n[',
    "a.json": b'{"texts": ["one", "two"]}',
    "a.xlsx": workbook({"Data": [("text", "label"), ("one text", "x"), ("other text", "y")], "More": [("a",)]}),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileReader]:
    with FileReader(ReadingLimits(512 * MIB, 20), tmp_path_factory.mktemp("scratch")) as reader:
        yield reader


@pytest.fixture
def fragile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileReader]:
    monkeypatch.setattr(reader_module, "MODULE", "tests.fragile_reader")
    with FileReader(ReadingLimits(512 * MIB, getattr(request, "param", PLENTY)), tmp_path) as reader:
        yield reader


def rows_until_refusal(reader: FileReader, content: bytes) -> tuple[list[Row], str]:
    rows = []
    with pytest.raises(InvalidInput) as caught:
        for row in texts_of(reader, content, "a.txt", TextOptions()):
            rows.append(row)
    return rows, caught.value.code


@pytest.mark.parametrize("name", FILES)
def test_rows_come_out_as_they_do_without_the_process(real: FileReader, tmp_path: Path, name: str) -> None:
    path, told, told_apart = tmp_path / name, list[Reading](), list[Reading]()
    path.write_bytes(FILES[name])
    expected = list(read_texts(io.BytesIO(FILES[name]), name, on_reading=told.append))
    assert list(texts_of(real, FILES[name], name, TextOptions(), told_apart.append)) == expected
    assert list(texts_of(real, path, name, TextOptions())) == expected
    assert told_apart == told


def test_what_is_wrong_with_a_file_comes_out_too(real: FileReader) -> None:
    content = b"one,other\nsome good text,some other text\nmore of the text,and more text\n"
    with pytest.raises(AmbiguousTable) as caught:
        list(texts_of(real, content, "a.csv", TextOptions()))
    assert [candidate.column for candidate in caught.value.candidates] == [0, 1]
    with pytest.raises(InvalidInput) as unknown:
        list(texts_of(real, content, "a.csv", TextOptions(encoding="none")))
    assert (unknown.value.code, unknown.value.field) == ("unknown_encoding", "/encoding")


def test_one_process_reads_one_file_after_another(real: FileReader) -> None:
    real.start()
    pid = real.pid
    with pytest.raises(InvalidInput, match="none of"):
        list(texts_of(real, b"", "a.docx", TextOptions()))
    assert label_pairs_of(real, ".csv", b"file,label\na.png,cat\n", 10, True) == ("table", [("a.png", "cat")])
    assert label_pairs_of(real, ".csv", b"x,y\n1,2\n", 10, False) is None
    with pytest.raises(InvalidInput, match="no column with file names"):
        label_pairs_of(real, ".csv", b"x,y\n1,2\n", 10, True)
    assert row_labels_of(real, b"label\ncat\nnan\n", 10) == (False, [(0, "cat"), (1, None)])
    assert real.pid == pid


def test_a_file_that_nobody_reads_to_its_end_does_not_stand_in_the_way(real: FileReader) -> None:
    begun = texts_of(real, FILES["a.csv"] * 20, "a.csv", TextOptions())
    next(begun)
    assert list(texts_of(real, b"one text\n", "b.txt", TextOptions()))[0].position == 1


@pytest.mark.parametrize(
    ("fragile", "mark", "code"),
    [
        (PLENTY, fragile_reader.ABORT, "reading_crashed"),
        (1, fragile_reader.SPIN, "reading_timed_out"),
        (1, fragile_reader.SLEEP, "reading_timed_out"),
        (PLENTY, fragile_reader.FILL, "reading_out_of_memory"),
        (PLENTY, fragile_reader.BABBLE, "reading_crashed"),
        (PLENTY, fragile_reader.FLOOD, "reading_crashed"),
        (PLENTY, fragile_reader.GARBAGE, "reading_crashed"),
        (PLENTY, fragile_reader.NO_ROWS, "reading_crashed"),
    ],
    indirect=["fragile"],
)
def test_a_file_that_takes_the_process_over_loses_its_own_rest_alone(
    fragile: FileReader, mark: bytes, code: str
) -> None:
    rows, found = rows_until_refusal(fragile, mark + b"\n")
    assert found == code
    positions = [row.position for row in rows]
    assert positions == list(range(1, len(rows) + 1))
    assert 1000 <= len(rows) <= fragile_reader.ROWS
    assert [row.position for row in texts_of(fragile, b"one text\n", "b.txt", TextOptions())] == [1]


class Ended(Exception):
    pass


def test_who_waits_for_rows_is_asked_meanwhile_whether_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reader_module, "MODULE", "tests.fragile_reader")
    rows = []

    def check() -> None:
        if len(rows) >= 1000:  # after which the process sleeps
            raise Ended

    with FileReader(ReadingLimits(512 * MIB, 3600), tmp_path, check) as asking, pytest.raises(Ended):
        for row in texts_of(asking, fragile_reader.SLEEP + b"\n", "a.txt", TextOptions()):
            rows.append(row)


def test_no_more_labels_are_taken_than_are_looked_at(real: FileReader) -> None:
    records = b"".join(b'{"file": "%d.png", "label": "cat"}\n' % number for number in range(3000))
    found = label_pairs_of(real, ".jsonl", records, 10, True)
    assert found is not None
    assert 10 < len(found[1]) < 3000
    assert label_pairs_of(real, ".jsonl", records, 3000, True) == (
        "records",
        [(f"{n}.png", "cat") for n in range(3000)],
    )


def test_a_process_that_dies_once_is_replaced_and_gives_each_row_once(fragile: FileReader, tmp_path: Path) -> None:
    content = fragile_reader.ONCE + b"\n" + str(tmp_path / "died").encode()
    rows = list(texts_of(fragile, content, "a.txt", TextOptions()))
    assert [row.position for row in rows] == list(range(1, fragile_reader.ROWS + 1))


def test_a_process_that_was_stopped_is_replaced_and_gives_each_row_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_watch, "STILL_SECONDS", 5 * process_watch.LOOK_SECONDS)
    with FileReader(ReadingLimits(512 * MIB, 20), tmp_path) as reader:
        reader.start()
        assert reader.pid is not None
        stopped = psutil.Process(reader.pid)
        stopped.suspend()
        rows = texts_of(reader, b"one text\nother text\n", "b.txt", TextOptions())
        assert [row.position for row in rows] == [1, 2]
        assert has_ended(stopped)


def test_a_system_that_refuses_to_work_is_no_fault_of_the_file(fragile: FileReader) -> None:
    with pytest.raises(ReaderUnavailable) as caught:
        list(texts_of(fragile, fragile_reader.NO_SPACE + b"\n", "a.txt", TextOptions()))
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_no_error_of_a_file_counts_as_one_of_the_system(real: FileReader) -> None:
    for content in (b"", b"PK"):  # of which copies may be made that are no larger
        with pytest.raises(InvalidInput) as caught:
            list(texts_of(real, content, "a.xlsx", TextOptions()))
        assert caught.value.code == "malformed_table"


def test_the_process_knows_no_settings(fragile: FileReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POUF_BOOTSTRAP_KEY", "secret")
    with pytest.raises(InvalidInput) as caught:
        list(texts_of(fragile, fragile_reader.ENVIRONMENT + b"\n", "a.txt", TextOptions()))
    assert "PATH" in caught.value.message
    assert "POUF" not in caught.value.message


def test_a_document_that_takes_too_much_memory_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    with FileReader(ReadingLimits(64 * MIB, 20), tmp_path) as small:
        document = b"[" + b'{"text": "a"},' * 1_000_000 + b'"b"]'
        with pytest.raises(InvalidInput) as caught:
            list(texts_of(small, document, "a.json", TextOptions()))
        assert caught.value.code == "reading_out_of_memory"
        assert [row.position for row in texts_of(small, b"one text\n", "b.txt", TextOptions())] == [1]


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_vectors_in_a_file_larger_than_memory_are_found_where_they_lie(tmp_path: Path, suffix: str) -> None:
    shape = (300_000, 256)
    count = 4 * shape[0] * shape[1]
    said = {"features": {"dtype": "F32", "shape": shape, "data_offsets": (0, count)}}
    head = io.BytesIO()
    if suffix == ".npy":
        np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": shape})
    else:
        head.write(struct.pack("<Q", len(json.dumps(said))) + json.dumps(said).encode())
    path = tmp_path / f"large{suffix}"
    with path.open("wb") as file:
        file.write(head.getvalue())
        file.truncate(len(head.getvalue()) + count)
    with FileReader(ReadingLimits(64 * MIB, 20), tmp_path) as small:
        found = embeddings_of(small, path, path.name, FileLimits(10**6, 0, tmp_path, 64 * MIB, 20))
    assert (found.array.shape, found.array.offset) == (shape, len(head.getvalue()))


def test_closing_ends_the_process(tmp_path: Path) -> None:
    with FileReader(ReadingLimits(512 * MIB, 20), tmp_path) as closed:
        closed.start()
        pid = closed.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_a_process_that_cannot_start_rejects_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reader_module, "MODULE", "pouf_core.there_is_no_such_module")
    with FileReader(ReadingLimits(512 * MIB, 20), tmp_path) as broken, pytest.raises(ReaderUnavailable):
        list(texts_of(broken, b"one text\n", "a.txt", TextOptions()))
