"""Lists of pictures with their classes, a line each: as ImageNet and Caltech have them, and Pascal VOC's image sets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from pouf_core.data.file_kinds import PICTURE_SUFFIXES
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.labels.folders import Parts
from pouf_core.data.text_rows import label_of

_SUFFIX = ".txt"
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
    lines = _lines(data)
    found = [_PICTURE.fullmatch(line) for line in lines]
    if not lines or None in found:
        return None
    pairs = [(parse_name(one[1]).parts, label_of(one[2].strip('"'))) for one in found if one]
    rows = [(file, label) for file, label in pairs if file and label is not None and not _are_numbers(label)]
    return rows if _are_classes([label for _, label in rows]) else None


class ImageSets:
    """Gathers VOC's image sets: a file for each class, which says of each picture whether it shows that."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, Parts], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._first: dict[tuple[str, Parts], ItemName] = {}

    def note(self, source: str, name: ItemName, data: bytes) -> bool:
        """Whether a file is one, which is kept."""
        folders = [part.casefold() for part in name.parts[:-1]]
        named = _SET.fullmatch(name.file_name[: -len(_SUFFIX)])
        if _SETS not in folders or named is None:
            return False
        found = [_MEMBER.fullmatch(line) for line in _lines(data)]
        if not found or None in found:
            return False
        place = (source, name.parts[: folders.index(_SETS)])
        self._first.setdefault(place, name)
        for one in found:
            if one and one[2] == "1":
                self._shown[place][one[1]].add(named[1])
        return True

    def tables(self) -> list[tuple[str, ItemName, ListedRows]]:
        """The source, the first file and the rows of each set of pictures: those that show exactly one class."""
        return [
            (place[0], self._first[place], [((file,), min(names)) for file, names in shown.items() if len(names) == 1])
            for place, shown in self._shown.items()
        ]


def _lines(data: bytes) -> list[str]:
    """The lines that are not blank; none of a file that is too large, or of which one is too long."""
    if len(data) > _LARGEST:
        return []
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    return [] if any(len(line) > _LONGEST_LINE for line in lines) else lines


def _are_classes(labels: Sequence[str]) -> bool:
    """Whether these are no captions: short, and fewer than pictures."""
    return 2 * len(set(labels)) <= max(len(labels), 4) and all(len(label.split()) <= _MOST_WORDS for label in labels)


def _are_numbers(label: str) -> bool:
    return len(words := label.split()) > 1 and all(word.isdecimal() for word in words)
