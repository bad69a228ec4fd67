"""Files as statistics programs, `datasets` and tools for pictures write them, and lists that lie beside pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.feather

from tests.corpus.labels import Layout, pictures
from tests.corpus.sheets import parquet
from tests.corpus.tables import SIDES, TEXTS, Table, pairs, two_columns

SEEN = tuple(f"I came, I saw, and after {number} days I went home" for number in ("two", "nine", "ten", "six"))
NAMED = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["positive", "negative"]}}}})}


def _of_r() -> list[Table]:
    """As `write.table` and `write.csv` put a data frame down."""
    quoted = [(f'"{number}"', f'"{text}"', f'"{side}"') for number, (text, side) in enumerate(pairs(), start=1)]
    escaped = [(row, text[:-1] + ', \\"or so\\""', side) for row, text, side in quoted]
    header = '"text" "label"\n'

    def rows(cells: Sequence[tuple[str, ...]], between: str = " ") -> str:
        return "".join(between.join(row) + "\n" for row in cells)

    named, plain = header + rows(quoted), header + rows([row[1:] for row in quoted])
    tabs = rows([tuple(cell.strip('"') for cell in row) for row in quoted], "\t")
    said = [f'{text}, "or so"' for text in TEXTS]
    return [
        two_columns("R, names of rows", named.encode(), file_name="a.txt"),
        two_columns("R, names of rows, called .csv", named.encode()),
        two_columns("R, no names of rows", plain.encode(), file_name="a.txt"),
        two_columns("R, quotes in texts", (header + rows(escaped)).encode(), said, file_name="a.txt"),
        two_columns("R, tabs without quotes", ("text\tlabel\n" + tabs).encode(), file_name="a.txt"),
        two_columns("R, write.csv", ('"","text","label"\n' + rows(quoted, ",")).encode()),
    ]


def _prose() -> list[Table]:
    lines = "".join(f"{line}\n" for line in SEEN).encode()
    labelled = "".join(f"{text}, {side}\n" for text, side in pairs() if "," not in text)
    short = [(text, side) for text, side in pairs() if "," not in text]
    return [
        Table("two commas in each line of prose", lines, SEEN),
        two_columns(
            "a label behind a comma and a space",
            labelled.encode(),
            [text for text, _ in short],
            [one for _, one in short],
        ),
    ]


def _of_arrow() -> list[Table]:
    numbers = [("positive", "negative").index(side) for side in SIDES]
    table = pa.table({"text": list(TEXTS), "label": numbers}).replace_schema_metadata(NAMED)
    stream, feather = io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    pyarrow.feather.write_feather(table, feather)
    return [
        two_columns("arrow, saved by datasets", stream.getvalue(), file_name="data-00000-of-00001.arrow"),
        two_columns("arrow, Feather", feather.getvalue(), file_name="a.feather"),
    ]


def _lists() -> list[Layout]:
    names = [f"{number}.png" for number in range(1, 7)]
    files = pictures(*(f"images/{name}" for name in names))
    sides = {f"images/{name}": ("cat", "dog")[number % 2] for number, name in enumerate(names)}

    def listed(name: str, between: str, folder: str = "", classes: Sequence[str] = ("cat", "dog")) -> Layout:
        lines = [f"{folder}{one}{between}{classes[at % 2]}" for at, one in enumerate(names)]
        return Layout(name, files | {"train.txt": "\n".join(lines).encode()}, sides, kind="file")

    marked = listed("", " ").files
    in_folders = pictures(*(f"{('cat', 'dog')[at % 2]}/{name}" for at, name in enumerate(names)))
    numbered = listed("", " ", "images/", "01").files
    sets = {}
    for side in ("cat", "dog"):
        shown = [" 1" if side == ("cat", "dog")[at % 2] or at == 5 else "-1" for at in range(6)]
        lines = "".join(f"{at} {one}\n" for at, one in enumerate(shown, start=1))
        sets[f"VOC/ImageSets/Main/{side}_train.txt"] = lines.encode()
    in_sets = {f"VOC/JPEGImages/{name}": side for name, side in zip(names[:5], list(sides.values())[:5], strict=True)}
    return [
        listed("a list, as of ImageNet", " ", "images/"),
        listed("a list with tabs", "\t"),
        listed("a list with commas", ", "),
        Layout(
            "a list with a byte order mark",
            {**marked, "train.txt": b"\xef\xbb\xbf" + marked["train.txt"]},
            sides,
            kind="file",
        ),
        Layout(
            "a list of numbers, and folders that are their names",
            in_folders | {"train.txt": "".join(f"{name} {at % 2}\n" for at, name in enumerate(in_folders)).encode()},
            {name: name.split("/")[0] for name in in_folders},
        ),
        Layout("a list of numbers, and their names", {**numbered, "synsets.txt": b"cat\ndog\n"}, sides, kind="file"),
        Layout(
            "image sets of VOC, and a picture in two",
            pictures(*(f"VOC/JPEGImages/{name}" for name in names)) | sets,
            {**in_sets, f"VOC/JPEGImages/{names[5]}": None},
            kind="file",
        ),
    ]


def _of_hugging_face() -> list[Layout]:
    """Shards of webdataset, which hold a file of the class beside each picture, and an ImageFolder's table."""
    names = [f"{number:06}" for number in range(6)]
    files = pictures(*(f"{name}.png" for name in names))
    sides = {f"{name}.png": ("cat", "dog")[number % 2] for number, name in enumerate(names)}
    numbers = {f"{name}.cls": str(number % 2).encode() for number, name in enumerate(names)}
    classes = {f"{name}.cls": sides[f"{name}.png"].encode() + b"\n" for name in names}
    table = parquet({"file_name": list(sides), "label": list(sides.values())})
    return [
        Layout("webdataset", files | classes, sides, kind="file"),
        Layout(
            "webdataset, numbers without names",
            files | numbers,
            {name: str(at % 2) for at, name in enumerate(sides)},
            "file",
        ),
        Layout(
            "webdataset, numbers and their names", {**files, **numbers, "classes.txt": b"cat\ndog\n"}, sides, "file"
        ),
        Layout("a table of parquet", {**files, "metadata.parquet": table}, sides, kind="file"),
    ]


TOOL_TABLES = [*_of_r(), *_prose(), *_of_arrow()]
TOOL_LAYOUTS = [*_lists(), *_of_hugging_face()]
"""All of them; their names differ."""
