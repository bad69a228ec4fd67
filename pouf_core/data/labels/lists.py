"""Pictures and their classes in lists, as ImageNet and Caltech have them, Pascal VOC's sets and webdataset's files."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pouf_core.data.file_kinds import PICTURE_SUFFIXES
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.labels.folders import Parts
from pouf_core.data.text_rows import label_of

_SUFFIX = ".txt"
CLASS_SUFFIX = ".cls"
_LARGEST, _LONGEST_LINE, _MOST_WORDS = 32 * 1024**2, 4096, 4
_SUFFIXES = "|".join(map(re.escape, PICTURE_SUFFIXES))
_PICTURE = re.compile(rf'"?(.+?(?:{_SUFFIXES}))"?(?:\s*[,;]\s*|\s+)(\S.*)', re.IGNORECASE)
_MEMBER = re.compile(r"(\S+)\s+(-1|0|1)")
_SET = re.compile(r"(.+)_(?:trainval|train|val|test)", re.IGNORECASE)
_SETS = "imagesets"  # the folder of VOC's

ListedRows = list[tuple[Parts, str]]


def may_be_a_list(name: ItemName) -> bool:
    """Whether a file may be one, by its name."""
    return name.file_name.lower().endswith(_SUFFIX)


def rows_of_list(data: bytes) -> ListedRows | None:
    """Pictures and a class each, where every line is `picture class`; None where one is not.

    Between them are spaces, a tab, a comma or a semicolon. Several numbers are several classes, which are no label.
    """
    rows: ListedRows = []
    labels: dict[str, str] = {}  # one object for each class, not for each picture
    for found in _matches(_PICTURE, data):
        if found is None:
            return None
        file, label = parse_name(found[1]).parts, label_of(found[2].strip('"'))
        if file and label is not None and not _are_numbers(label):
            rows.append((file, labels.setdefault(label, label)))
    return rows if _are_classes([label for _, label in rows]) else None


class ImageSets:
    """Gathers VOC's image sets: a file for each class, which says of each picture whether it shows that."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, Parts], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._first: dict[tuple[str, Parts], ItemName] = {}

    def note(self, source: str, name: ItemName, data: bytes) -> int | None:
        """How many pictures a file says to show its class, which is kept; None where it is no image set."""
        folders = [part.casefold() for part in name.parts[:-1]]
        named = _SET.fullmatch(name.file_name[: -len(_SUFFIX)])
        if _SETS not in folders or named is None:
            return None
        pictures = []
        for found in _matches(_MEMBER, data):
            if found is None:
                return None
            if found[2] == "1":
                pictures.append(found[1])
        place = (source, name.parts[: folders.index(_SETS)])
        self._first.setdefault(place, name)
        for picture in pictures:
            self._shown[place][picture].add(named[1])
        return len(pictures)

    def tables(self) -> list[tuple[str, ItemName, ListedRows]]:
        """The source, the first file and the rows of each set of pictures: those that show exactly one class."""
        return [
            (place[0], self._first[place], [((file,), min(names)) for file, names in shown.items() if len(names) == 1])
            for place, shown in self._shown.items()
        ]


class ClassFiles:
    """Gathers the files of webdataset, one for each picture and named after it, that hold a class alone."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, Parts], ListedRows] = defaultdict(list)
        self._first: dict[tuple[str, Parts], ItemName] = {}

    def note(self, source: str, name: ItemName, data: bytes) -> bool:
        """Whether a file holds a class, which is kept."""
        lines = data.decode("utf-8-sig", "replace").splitlines() if len(data) <= _LONGEST_LINE else []
        label = label_of(lines[0]) if len(lines) == 1 else None
        if label is None:
            return False
        place = (source, name.parts[:-1])
        self._first.setdefault(place, name)
        self._rows[place].append((name.parts[-1:], label))
        return True

    def tables(self) -> list[tuple[str, ItemName, ListedRows, Parts]]:
        """The source, the first file, the rows and the directory of each."""
        return [(place[0], self._first[place], rows, place[1]) for place, rows in self._rows.items()]


def _matches(pattern: re.Pattern[str], data: bytes) -> Iterator[re.Match[str] | None]:
    """The match of each line that is not blank; None of one that is no match or too long, or of a file too large."""
    if len(data) > _LARGEST:
        yield None
        return
    for line in map(str.strip, io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", "replace")):
        if line:
            yield pattern.fullmatch(line) if len(line) <= _LONGEST_LINE else None


def _are_classes(labels: Sequence[str]) -> bool:
    """Whether these are no captions: short, and fewer than pictures."""
    return 2 * len(set(labels)) <= max(len(labels), 4) and all(len(label.split()) <= _MOST_WORDS for label in labels)


def _are_numbers(label: str) -> bool:
    return len(words := label.split()) > 1 and all(word.isdecimal() for word in words)
