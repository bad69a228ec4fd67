"""Workbooks and parquet files as Excel, LibreOffice, pandas and Hugging Face write them, with what each holds."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from tests.corpus.old_excel import old_workbook
from tests.corpus.tables import GERMAN, SIDES, TEXTS, Table, pairs, two_columns

Cells = Sequence[Sequence[Any]]

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_TABLES = "urn:oasis:names:tc:opendocument:xmlns"


def workbook(sheets: Mapping[str, Cells], *, shared: bool = True, hidden: Sequence[str] = ()) -> bytes:
    """An `.xlsx`, its texts shared among cells as Excel writes them, or in the cells."""
    strings: dict[str, int] = {}
    names = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"'
        + (' state="hidden"/>' if name in hidden else "/>")
        for number, name in enumerate(sheets, start=1)
    )
    links = [(f"rId{number}", "worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    parts = {
        f"xl/worksheets/sheet{number}.xml": f"<worksheet {_MAIN}>{_rows(rows, strings, shared)}</worksheet>"
        for number, rows in enumerate(sheets.values(), start=1)
    }
    parts["xl/workbook.xml"] = f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>'
    parts["xl/_rels/workbook.xml.rels"] = _links([*links, ("rId999", "sharedStrings", "sharedStrings.xml")])
    items = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    parts["xl/sharedStrings.xml"] = f"<sst {_MAIN}>{items}</sst>"
    parts["_rels/.rels"] = _links([("rId1", "officeDocument", "xl/workbook.xml")])
    parts["[Content_Types].xml"] = f'<Types xmlns="{_PACKAGE}/content-types"/>'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, _HEAD + content)
    return stream.getvalue()


def _links(links: Sequence[tuple[str, str, str]]) -> str:
    found = "".join(f'<Relationship Id="{key}" Type="{_OFFICE}/{kind}" Target="{to}"/>' for key, kind, to in links)
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{found}</Relationships>'


def _rows(rows: Cells, strings: dict[str, int], shared: bool) -> str:
    found = []
    for number, row in enumerate(rows, start=1):
        cells = "".join(_cell(f"{_column(index)}{number}", value, strings, shared) for index, value in enumerate(row))
        found.append(f'<row r="{number}">{cells}</row>')
    return f"<sheetData>{''.join(found)}</sheetData>"


def _cell(place: str, value: Any, strings: dict[str, int], shared: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    if shared:
        return f'<c r="{place}" t="s"><v>{strings.setdefault(value, len(strings))}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def _column(index: int) -> str:
    return chr(65 + index)


def sheet_of(rows: bytes) -> bytes:
    """An `.xlsx` whose only sheet has these rows in XML."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook({"A": ()}))) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            sheet = f"{_HEAD}<worksheet {_MAIN}><sheetData>".encode() + rows + b"</sheetData></worksheet>"
            new.writestr(name, sheet if name.startswith("xl/worksheets/") else old.read(name))
    return stream.getvalue()


def open_document(rows: Cells) -> bytes:
    """An `.ods` of one sheet."""
    spaces = " ".join(f'xmlns:{name}="{_TABLES}:{name}:1.0"' for name in ("office", "table", "text"))
    table = f'<table:table table:name="A">{"".join(map(_open_row, rows))}</table:table>'
    body = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    entries = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
    manifest = f'<manifest:manifest xmlns:manifest="{_TABLES}:manifest:1.0">{entries}</manifest:manifest>'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind, zipfile.ZIP_STORED)
        archive.writestr("content.xml", f"{_HEAD}<office:document-content {spaces}>{body}</office:document-content>")
        archive.writestr("META-INF/manifest.xml", _HEAD + manifest)
    return stream.getvalue()


def _open_row(row: Sequence[Any]) -> str:
    cells = (f"<text:p>{escape(str(cell))}</text:p>" for cell in row)
    return (
        "<table:table-row>"
        + "".join(f'<table:table-cell office:value-type="string">{cell}</table:table-cell>' for cell in cells)
        + "</table:table-row>"
    )


def parquet(columns: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """A `.parquet` of these columns."""
    table = pa.table(dict(columns))
    stream = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(dict(metadata or {})), stream)
    return stream.getvalue()


def _workbooks() -> list[Table]:
    rows = pairs()
    with_header = [("text", "label"), *rows]
    stars = [(text, number % 5 + 1) for number, text in enumerate(TEXTS)]
    german = [("Nr", "Kommentar", "Stimmung"), *((number, *row) for number, row in enumerate(pairs(GERMAN), start=1))]
    titled = [("Export of 1 February",), (), *with_header]
    flags = [(text, number % 2 == 0) for number, text in enumerate(TEXTS)]
    starred: dict[str, Any] = {"labels": [str(star) for _, star in stars], "file_name": "a.xlsx"}
    flagged: dict[str, Any] = {"labels": [str(flag).upper() for _, flag in flags], "file_name": "a.XLSX"}
    gaps = [("text", "label"), *chain.from_iterable((row, ()) for row in rows)]
    kinds: list[tuple[str, bytes]] = [
        ("texts shared among cells", workbook({"Sheet1": with_header})),
        ("texts in cells", workbook({"Sheet1": with_header}, shared=False)),
        ("no header", workbook({"Sheet1": rows})),
        ("lines before the table", workbook({"Sheet1": titled})),
        ("an empty sheet first", workbook({"Empty": (), "Data": with_header})),
        ("a hidden sheet first", workbook({"Lists": [("x", "y")], "Data": with_header}, hidden=["Lists"])),
        ("empty rows between rows", workbook({"Sheet1": gaps})),
    ]
    return [
        *(two_columns(f"workbook, {name}", content, file_name="texts.xlsx") for name, content in kinds),
        two_columns("workbook, numbers as labels", workbook({"A": [("text", "stars"), *stars]}), **starred),
        two_columns("workbook, German headings", workbook({"Tabelle1": german}), GERMAN, file_name="a.xlsx"),
        two_columns("workbook, truths as labels", workbook({"A": [("text", "label"), *flags]}), **flagged),
        two_columns("workbook of LibreOffice", open_document(with_header), file_name="a.ods"),
        two_columns("workbook of Excel 97", old_workbook(german), GERMAN, file_name="a.xls"),
        Table("workbook, one column", workbook({"A": [(text,) for text in TEXTS]}), TEXTS, file_name="a.xlsx"),
    ]


def _parquets() -> list[Table]:
    texts, labels = list(TEXTS), list(SIDES)
    numbers = [SIDES[:2].index(side) for side in SIDES]
    info = {"info": {"features": {"label": {"names": ["positive", "negative"], "_type": "ClassLabel"}}}}
    days = [date(2026, 2, 1)] * len(TEXTS)
    index = {"__index_level_0__": pa.array(range(len(TEXTS)))}
    missing = [None if label == "negative" else label for label in labels]
    some, hugging_face = {"text": texts, "label": missing}, {"huggingface": json.dumps(info)}
    kinds: list[tuple[str, bytes]] = [
        ("text and label", parquet({"text": texts, "label": labels})),
        ("index of pandas", parquet({"text": texts, "label": labels} | index)),
        ("names of classes by Hugging Face", parquet({"text": texts, "label": numbers}, hugging_face)),
        ("categories", parquet({"text": texts, "label": pa.array(labels).dictionary_encode()})),
        ("other columns", parquet({"id": list(range(len(texts))), "text": texts, "label": labels, "day": days})),
        ("a column of lists", parquet({"text": texts, "label": labels, "tokens": [["a"]] * len(texts)})),
        ("one header that is no usual one", parquet({"Was gesagt wurde": texts, "Art": labels})),
    ]
    return [
        *(two_columns(f"parquet, {name}", content, file_name="a.parquet") for name, content in kinds),
        two_columns("parquet, missing labels", parquet(some), labels=missing, file_name="a.parquet"),
        Table("parquet, one column", parquet({"text": texts}), TEXTS, file_name="a.parquet"),
    ]


SHEETS = [*_workbooks(), *_parquets()]
"""All of them; their names differ."""
