"""Workbooks and parquet files that are damaged or hostile, and what is told of the others."""

from __future__ import annotations

import io
import zipfile
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pouf_core.data.items import collect_texts
from pouf_core.data.sheets import USUAL_LIMITS, ReadingLimits, kind_of_table, opened_sheet
from pouf_core.data.text_files import BadRow, Reading, Row, TextOptions, TextRow, read_texts
from pouf_core.errors import InvalidInput
from tests.corpus.archives import picture
from tests.corpus.sheets import parquet, sheet_of, workbook
from tests.corpus.tables import pairs
from tests.corpus.tools import TOOL_TABLES

MIB = 1024**2

ROWS = [("text", "label"), ("one fine day", "x"), ("another fine day", "y")]


def read(content: bytes, name: str = "a.xlsx", limits: ReadingLimits = USUAL_LIMITS) -> list[Row]:
    return list(read_texts(io.BytesIO(content), name, limits=limits))


def same_name_twice() -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(["a day"]), pa.array(["b day"])], names=["text", "text"]), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(b"no workbook", "a.xlsx", id="noise"),
        pytest.param(workbook({"A": ROWS})[:300], "a.xlsx", id="cut off"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.xlsx", id="a container with a password"),
        pytest.param(b"PAR1 no parquet PAR1", "a.parquet", id="parquet of noise"),
        pytest.param(parquet({"text": ["one day"]})[:-9], "a.parquet", id="parquet cut off"),
        pytest.param(parquet({"n": [1, 2]}), "a.parquet", id="parquet without texts"),
        pytest.param(same_name_twice(), "a.parquet", id="parquet with a name twice"),
        pytest.param(
            sheet_of(b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
            "a.xlsx",
            id="a table of seventeen thousand million cells",
        ),
    ],
)
def test_what_is_no_table_of_texts_is_refused(content: bytes, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(content, name)
    assert caught.value.code == "malformed_table"


def test_a_workbook_that_unpacks_to_more_than_memory_is_refused() -> None:
    bomb = sheet_of(b'<row><c t="inlineStr"><is><t>' + b"a" * 40 * MIB + b"</t></is></c></row>")
    assert len(bomb) < MIB
    with pytest.raises(InvalidInput, match="memory|ends the process"):
        read(bomb, limits=ReadingLimits(memory_bytes=32 * MIB))


def test_a_workbook_without_rows_holds_no_texts() -> None:
    assert read(workbook({"A": (), "B": ()})) == []


def test_a_long_text_that_a_parquet_file_holds_once_for_many_rows_is_not_copied_for_all_at_once() -> None:
    rows = 1024
    content = parquet({"text": [f"day {number} of many" for number in range(rows)], "page": ["x" * 400_000] * rows})
    assert len(content) < MIB
    with opened_sheet(io.BytesIO(content), ".parquet", ReadingLimits(memory_bytes=384 * MIB)) as sheet:
        names, first = islice(sheet.rows, 2)
    assert (names, first[0]) == (["text", "page"], "day 0 of many")


def test_what_takes_more_memory_than_is_allowed_is_not_called_damaged() -> None:
    page = pa.DictionaryArray.from_arrays(pa.array([0] * 99), ["x" * 8 * MIB])
    content = parquet({"text": ["one fine day"] * 99, "page": page})
    with pytest.raises(InvalidInput, match="more memory than is allowed"):
        read(content, "a.parquet", ReadingLimits(memory_bytes=384 * MIB))


def test_rows_before_the_damage_of_a_parquet_file_are_kept() -> None:
    stream = io.BytesIO()
    texts = pa.table({"text": [f"day {number} of many days" for number in range(2000)]})
    pq.write_table(texts, stream, row_group_size=1000, use_dictionary=False, compression="none")
    content = bytearray(stream.getvalue())
    middle = len(content) // 2 + 300
    content[middle : middle + 4000] = b"\xff" * 4000
    *rows, last = read(bytes(content), "a.parquet")
    assert len(rows) >= 1000
    assert isinstance(last, BadRow) and (last.code, last.lost) == ("malformed_table", "rest")


def test_other_sheets_with_rows_are_told_of() -> None:
    *texts, last = read(workbook({"Data": ROWS, "More": ROWS, "Empty": ()}))
    assert len(texts) == 2
    assert isinstance(last, BadRow)
    assert (last.code, last.lost) == ("sheet_not_read", "rest")
    assert "'More'" in last.message and "'Empty'" not in last.message


def test_a_reading_tells_sheet_and_title() -> None:
    found: list[Reading] = []
    list(read_texts(io.BytesIO(workbook({"Data": [("Export",), *ROWS]})), "a.xlsx", on_reading=found.append))
    (reading,) = found
    assert (reading.encoding, reading.sheet, reading.skipped) == (None, "Data", 1)
    assert reading.table is not None and reading.table.names == ("text", "label")


def test_columns_are_named_as_in_other_tables() -> None:
    content = parquet({"headline": ["some title", "one more title"], "remark": ["some words", "other words"]})
    with pytest.raises(InvalidInput) as caught:
        read(content, "a.parquet")
    assert caught.value.code == "table_ambiguous"
    rows = list(read_texts(io.BytesIO(content), "a.parquet", TextOptions(text_column="remark")))
    assert [row.text for row in rows if not isinstance(row, BadRow)] == ["some words", "other words"]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"text": ["a"], "label": [1]}, "text"),
        ({"id": ["a"], "features": [[0.5, 1.0]]}, "embedding"),
        ({"a": [0.5], "b": [1.0]}, "embedding"),
        ({"text": ["a"], "tokens": [["a"]]}, "text"),
        ({"image": [picture("red")], "text": ["a"], "features": [[0.5, 1.0]]}, "image"),
        ({"sound": [b"RIFF"], "text": ["a"]}, "text"),
    ],
)
def test_a_parquet_file_tells_what_it_holds(tmp_path: Path, columns: dict[str, object], kind: str) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet(columns))
    assert kind_of_table(tmp_path / "a.parquet", "parquet", USUAL_LIMITS) == kind


def test_the_library_reads_workbooks_in_archives_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(workbook({"A": ROWS}))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("b.parquet", parquet({"text": ["a third day"]}))
        archive.writestr("c.png", b"no text")
    items, rejected = collect_texts(tmp_path)
    assert {item.text() for item in items} == {"one fine day", "another fine day", "a third day"}
    assert [(one.name, one.code) for one in rejected] == [("c.png", "unknown_text_file")]


COVER = [("Report", "2026"), ("Prepared by", "the shop"), ("Contents", "see the next sheet")]


CODEBOOK = [("Variable", "Description"), ("text", "what was said"), ("label", "who liked it")]
WITH_HEADINGS = [("text", "label"), *pairs()]


@pytest.mark.parametrize(
    ("first", "rows", "read"),
    [(COVER, WITH_HEADINGS, "Data"), (CODEBOOK, WITH_HEADINGS, "Data"), (COVER, [("a", "b"), *pairs()], "Cover")],
)
def test_a_cover_is_passed_over_where_a_longer_sheet_has_headings(
    first: list[tuple[str, str]], rows: list[tuple[str, str]], read: str
) -> None:
    found: list[Reading] = []
    content = workbook({"Cover": first, "Data": rows})
    *_, last = read_texts(io.BytesIO(content), "a.xlsx", on_reading=found.append)
    assert [reading.sheet for reading in found] == [read]
    assert isinstance(last, BadRow) and last.code == "sheet_not_read"


@pytest.mark.parametrize("data", [WITH_HEADINGS, [("a", "b"), *pairs()]], ids=["headed", "not-headed"])
@pytest.mark.parametrize("cover", [("Report of May",), (" ", "Report of May")])
def test_of_a_sheet_with_one_cell_nothing_is_lost(cover: tuple[str, ...], data: list[tuple[str, str]]) -> None:
    found: list[Reading] = []
    rows = list(read_texts(io.BytesIO(workbook({"Cover": [cover], "Data": data})), "a.xlsx", on_reading=found.append))
    assert [reading.sheet for reading in found] == ["Data"]
    assert [row for row in rows if isinstance(row, BadRow)] == []


@pytest.mark.parametrize("above", [("Feedback", "", "Meta"), ("", "Feedback", "")])
def test_headings_may_stand_below_others_that_span_them(above: tuple[str, ...]) -> None:
    rows = [above, ("Title", "Comment", "Stars"), *((f"no {n}", text, n % 2) for n, (text, _) in enumerate(pairs()))]
    found: list[Reading] = []
    read_rows = list(read_texts(io.BytesIO(workbook({"Data": rows})), "a.xlsx", on_reading=found.append))
    assert [row.text for row in read_rows if isinstance(row, TextRow)] == [text for text, _ in pairs()]
    (reading,) = found
    assert reading.table is not None and reading.table.names == ("Title", "Comment", "Stars")


def test_a_column_without_heading_is_no_second_row_of_headings() -> None:
    rows = [("", "text", "label"), *((f"r{n}", text, label) for n, (text, label) in enumerate(pairs()))]
    assert len(read(workbook({"Data": rows}))) == len(pairs())


def test_a_workbook_of_one_cell_is_read() -> None:
    assert len(read(workbook({"Only": [("one fine day",)]}))) == 1


def test_a_table_of_files_that_is_read_as_texts_is_refused_with_what_to_do() -> None:
    as_hugging_face_has_them = pa.array([{"bytes": b"x", "path": "a.png"}] * 2)
    for files in (as_hugging_face_has_them, [b"x", b"y"]):
        for labels in ([0, 1], ["cat", "dog"]):
            with pytest.raises(InvalidInput, match="image holds files: pictures are read with the modality `image`"):
                list(read_texts(io.BytesIO(parquet({"image": files, "label": labels})), "a.parquet"))


def test_texts_beside_pictures_are_read() -> None:
    content = parquet({"image": [b"x", b"y"], "text": ["a red boat", "a blue boat"]})
    assert [row.text for row in read_texts(io.BytesIO(content), "a.parquet") if isinstance(row, TextRow)] == [
        "a red boat",
        "a blue boat",
    ]


def test_embeddings_in_an_arrow_file_are_refused_with_what_to_do() -> None:
    table, stream = pa.table({"embedding": [[0.5, 1.5], [2.5, 3.5]]}), io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(InvalidInput, match="Save embeddings as"):
        list(read_texts(io.BytesIO(stream.getvalue()), "a.arrow"))


def test_what_datasets_say_of_their_files_is_passed_over(tmp_path: Path) -> None:
    (arrow,) = (table for table in TOOL_TABLES if table.name == "arrow, saved by datasets")
    (tmp_path / arrow.file_name).write_bytes(arrow.content)
    for name in ("state.json", "dataset_info.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.4")
    items, rejected = collect_texts(tmp_path)
    assert (len(items), [(one.name, one.code) for one in rejected]) == (12, [("notes.pdf", "unknown_text_file")])
