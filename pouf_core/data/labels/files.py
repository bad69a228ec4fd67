"""Files that say the labels of pictures: which may be, and how each is read."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

from pouf_core.contract.labels import LabelFileFormat
from pouf_core.data.encodings import detect_encoding
from pouf_core.data.file_kinds import NAMES_OF_LABELS, PARQUET_SUFFIX, WORKBOOK_SUFFIXES, is_named_for_labels
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.labels.folders import Parts
from pouf_core.data.labels.json_files import rows_of_json
from pouf_core.data.labels.lists import CLASS_SUFFIX
from pouf_core.data.labels.tables import (
    AMBIGUOUS,
    NO_COLUMN,
    NO_SUCH_COLUMN,
    UNREADABLE,
    Rows,
    labels_in_sheet,
    labels_of_files,
    may_name_pictures,
    unreadable,
)
from pouf_core.data.labels.xml_files import rows_of_xml
from pouf_core.data.labels.yolo import (
    LINES_SUFFIX,
    YAML_SUFFIXES,
    YoloTable,
    may_be_of_yolo,
    names_of_lines,
    names_of_yaml,
)
from pouf_core.errors import InvalidInput

_TABLES = (".csv", ".tsv")
_SHEETS = (*WORKBOOK_SUFFIXES, PARQUET_SUFFIX)
_JSON_LINES = (".jsonl", ".ndjson", ".manifest")
_JSON = (".json",)
_XML = ".xml"
_TABLE_FORMS: dict[bool, LabelFileFormat] = {False: "table", True: "guessed_table"}
#: Formats with a file for each picture.
_OF_ONE_PICTURE: tuple[LabelFileFormat, ...] = ("labelme", "voc")
_LARGEST_JSON = 32 * 1024**2
_MAY_SAY_NONE = "metadata"  # which tells of other things, too
#: Of a file that names pictures, and does not tell which column labels them: the caller may.
UNCLEAR = (AMBIGUOUS, NO_SUCH_COLUMN)


class Unclear(NamedTuple):
    """A file that may label pictures, and why that is not told."""

    source: str
    name: ItemName
    error: InvalidInput


@dataclass(frozen=True)
class LabelTable:
    """The labels that a file gives: names of pictures, relative to `directory` of `source`, and a label each.

    Attributes:
        rank: of several files, those of the lowest rank alone count.
        is_guess: whether it counts only where nothing else gives labels, as numbers in a list do, of which no file
            says the names: folders may.
    """

    name: str
    source: str
    directory: Parts
    format: LabelFileFormat
    rows: list[tuple[Parts, str]]
    rank: int

    @property
    def is_guess(self) -> bool:
        unnamed = self.format == "list" and all(label.isdecimal() for _, label in self.rows)
        return (self.format == "guessed_table" or unnamed) and self.rank == len(NAMES_OF_LABELS)

    @property
    def is_of_columns(self) -> bool:
        """Whether a caller may say which of its columns or fields has the labels."""
        return self.format in ("table", "guessed_table", "records")

    def continues(self, other: LabelTable) -> bool:
        """Whether both are files of one picture each, in one directory."""
        places = (self.source, self.directory), (other.source, other.directory)
        return self.format == other.format and self.format in _OF_ONE_PICTURE and places[0] == places[1]


def may_hold_labels(name: ItemName) -> bool:
    """Whether a file among pictures may be one of labels, by its name."""
    suffixes = (*_TABLES, *_SHEETS, *_JSON_LINES, *_JSON, _XML, CLASS_SUFFIX)
    return name.file_name.lower().endswith(suffixes) or may_be_of_yolo(name.file_name)


class ReadPairs(Protocol):
    """`label_pairs`, here or in another process."""

    def __call__(
        self, suffix: str, data: bytes, most_rows: int, says_so: bool, /
    ) -> tuple[LabelFileFormat, Rows] | None: ...


def read_label_file(
    source: str, name: ItemName, data: bytes, most_rows: int, read: ReadPairs | None = None
) -> LabelTable | None:
    """What a file among pictures says of their labels; None where it says nothing, and was not named for it.

    Args:
        source: the archive or folder that holds it.
        name: such as `labels.csv` or `labels.xlsx`, `metadata.csv`, `.jsonl` or `.parquet` (Hugging Face),
            `annotations.json` (COCO, Label Studio), `annotations.xml` (CVAT), a file for each picture (Pascal VOC,
            LabelMe), and any other of these kinds that names files beside labels.
        data: in any encoding.
        most_rows: that it may have.
        read: what reads it, if not `label_pairs`.

    Raises:
        InvalidInput: `labels_unreadable`, of a file named `labels` or `metadata`, or one that is too large;
            `labels_ambiguous` or `label_column_not_found` of any.
    """
    stem, _, suffix = name.file_name.lower().rpartition(".")
    says_so = is_named_for_labels(name.file_name)
    if f".{suffix}" in (*_JSON, *_JSON_LINES, _XML) and len(data) > _LARGEST_JSON:
        raise unreadable(f"JSON and XML are read whole and may have {_LARGEST_JSON:,} bytes; a table may have any.")
    if "submission" in stem:
        return None  # Kaggle's example of answers, in which all labels are made up
    try:
        found = (read or label_pairs)(f".{suffix}", data, most_rows, says_so)
        reason = unreadable("It names no files beside labels.")
    except InvalidInput as error:
        if error.code != NO_COLUMN and (says_so or error.code in UNCLEAR):
            raise
        found, reason = None, InvalidInput(UNREADABLE, error.message)
    if found is None and stem == _MAY_SAY_NONE:
        found = "records", []
    if found is None:
        if says_so:
            raise reason
        return None
    form, pairs = found
    if len(pairs) > most_rows:
        raise unreadable(f"It and the files of labels before it may have {most_rows:,} rows.")
    rows = [(parse_name(file).parts, label) for file, label in pairs]
    rank = NAMES_OF_LABELS.index(stem) if says_so else len(NAMES_OF_LABELS)
    return LabelTable(name.text, source, name.parts[:-1], form, [(file, label) for file, label in rows if file], rank)


def listed_labels(source: str, name: ItemName, rows: list[tuple[Parts, str]], directory: Parts = ()) -> LabelTable:
    """The table of a list of pictures, or of image sets, of which the name is that of the first file."""
    return LabelTable(name.text, source, directory, "list", rows, len(NAMES_OF_LABELS))


def of_yolo(found: YoloTable) -> LabelTable:
    """The table of what YOLO's files say."""
    return LabelTable(found.names.text, found.source, (), "yolo", found.rows, len(NAMES_OF_LABELS))


def label_pairs(
    suffix: str, data: bytes, most_rows: int, says_so: bool, label_column: str | None = None
) -> tuple[LabelFileFormat, Rows] | None:
    """Files and their labels, at most one more than `most_rows`, and the format that says them; None where it does not.

    Of a file of names of YOLO's, numbers of classes and their names.

    Args:
        suffix: of the file's name, in small letters, with its dot.
        data: the file.
        most_rows: of a table.
        says_so: whether its name says that it is one of labels.
        label_column: of a table, the heading or number of the column with labels; of objects, the field.

    Raises:
        InvalidInput: `labels_unreadable`, or as `labels_in_rows`.
    """
    if suffix in _SHEETS:
        pairs, is_guess = labels_in_sheet(data, suffix, most_rows + 1, label_column)
        return _TABLE_FORMS[is_guess], pairs
    if suffix == _XML:
        return rows_of_xml(data, most_rows + 1)
    text = decoded(data)
    if suffix in YAML_SUFFIXES:
        try:
            names = names_of_yaml(text)
        except (ValueError, RecursionError) as error:
            raise unreadable(f"It is not YAML: {error}.") from error
        return ("yolo", names) if names else None
    if suffix == LINES_SUFFIX:
        names = names_of_lines(text)
        return ("yolo", names) if names else None
    if suffix in _TABLES:
        if not says_so and label_column is None and not may_name_pictures(text):
            return None  # measurements beside each picture, of which there may be thousands
        table = labels_of_files(text, label_column)
        return _TABLE_FORMS[table.is_guess], list(islice(table.pairs, most_rows + 1))
    try:
        return rows_of_json(text, lines=suffix in _JSON_LINES, label_field=label_column)
    except (ValueError, RecursionError) as error:
        raise unreadable(f"It is not JSON: {error}.") from error


def decoded(data: bytes) -> str:
    """The characters of a file of labels.

    Raises:
        InvalidInput: `labels_unreadable`.
    """
    encoding = detect_encoding(data)
    try:
        return data.decode(encoding.name)
    except UnicodeDecodeError as error:
        raise unreadable(f"It is not in {encoding.name}, which most of it is in: {error}.") from error
