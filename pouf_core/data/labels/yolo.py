"""Labels as YOLO has them: for each picture a text of what is drawn in it, by numbers, and one file of their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from pouf_core.data.item_names import ItemName
from pouf_core.data.labels.folders import Parts
from pouf_core.data.text_rows import label_of

#: Of the file of names: with a list or a mapping `names`, or a name a line.
YAML_SUFFIXES = (".yaml", ".yml")
LINES_SUFFIX = ".names"
_OF_LINES = ("classes.txt", "_darknet.labels", "synsets.txt")
_OF_A_PICTURE = ".txt"
_LARGEST, _LARGEST_NAMES, _DEEPEST = 1024**2, 4 * 1024**2, 100
_LINE = re.compile(rb"\s*(\d{1,6})(?:\s+[-+.\deE]+){4,}\s*")
_ANNOTATIONS, _PICTURES = "labels", "images"
# `yes`, `no` and `010` are names and numbers as they stand
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

Names = list[tuple[str, str]]


def may_be_of_yolo(file_name: str) -> bool:
    """Whether a file may be one of these, by its name."""
    return holds_names(file_name) or file_name.lower().endswith(_OF_A_PICTURE)


def holds_names(file_name: str) -> bool:
    """Whether a file may be the one of names, by its name."""
    lowered = file_name.lower()
    return lowered in _OF_LINES or lowered.endswith((*YAML_SUFFIXES, LINES_SUFFIX))


def suffix_of_names(file_name: str) -> str:
    """The suffix by which such a file is read."""
    return YAML_SUFFIXES[0] if file_name.lower().endswith(YAML_SUFFIXES) else LINES_SUFFIX


def names_of_yaml(text: str) -> Names | None:
    """The numbers and names of classes in a `data.yaml`; None where it names none.

    Raises:
        ValueError, RecursionError: it is not YAML, or nested deeper than any such file.
    """
    if len(text) > _LARGEST_NAMES:
        return None
    try:
        _check_depth(text)
        document = yaml.load(text, _LOADER)
    except yaml.YAMLError as error:
        raise ValueError(str(error)[:200]) from error
    names: Any = document.get("names") if isinstance(document, Mapping) else None
    if isinstance(names, list):
        names = {str(number): name for number, name in enumerate(names)}
    if not isinstance(names, Mapping):
        return None
    found = [(number, label_of(name)) for number, name in names.items() if isinstance(name, str)]
    return [(number, name) for number, name in found if name is not None] or None


def _check_depth(text: str) -> None:
    """Refuse what would overflow the stack of the loader, which ends the process."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST} levels")


def names_of_lines(text: str) -> Names | None:
    """The numbers and names of classes in a file with one a line."""
    found = [(str(number), label_of(line)) for number, line in enumerate(text[:_LARGEST_NAMES].split("\n"))]
    return [(number, name) for number, name in found if name is not None] or None


class YoloTable(NamedTuple):
    """Labels of pictures by their paths in a source, and its file of names."""

    source: str
    names: ItemName
    rows: list[tuple[Parts, str]]


class _Shown(NamedTuple):
    """Where it is said what a picture shows, the picture's path, and the number of the class."""

    directory: Parts
    picture: Parts
    number: str


class YoloLabels:
    """Gathers what is drawn in pictures, and the names of it, while files are read."""

    def __init__(self) -> None:
        self._shown: dict[str, list[_Shown]] = {}
        self._names: dict[str, list[tuple[ItemName, Mapping[str, str]]]] = defaultdict(list)

    def note_names(self, source: str, name: ItemName, names: Names) -> None:
        """A source has a file of names."""
        self._names[source].append((name, dict(names)))

    def note_picture(self, source: str, name: ItemName, data: bytes) -> bool:
        """Whether a file says what is drawn in a picture, which is kept where that is of exactly one class."""
        if len(data) > _LARGEST:
            return False
        found = [_LINE.fullmatch(line) for line in data.splitlines() if line.strip()]
        classes = {int(line[1]) for line in found if line}
        if len(classes) != 1 or None in found:
            return False
        parts = tuple(_PICTURES if part == _ANNOTATIONS else part for part in name.parts)
        self._shown.setdefault(source, []).append(_Shown(name.parts[:-1], parts, str(classes.pop())))
        return True

    def names_for(self, source: str, directory: Parts) -> Mapping[str, str]:
        """The names of numbers in a directory of a source; none where that is not told."""
        names = self._names.get(source, [])
        at = _nearest(directory, names) if names else None
        return {} if at is None else names[at][1]

    def tables(self) -> list[YoloTable]:
        """What is known of each source that has names: by those nearest above, else by those that all files agree on.

        Sets that were put into one folder have names of their own, in orders of their own.
        """
        tables = []
        for source, names in self._names.items():
            rows: list[list[tuple[Parts, str]]] = [[] for _ in names]
            nearest = {directory: _nearest(directory, names) for directory, *_ in self._shown.get(source, ())}
            for directory, picture, number in self._shown.get(source, ()):
                at = nearest[directory]
                if at is not None and number in names[at][1]:
                    rows[at].append((picture, names[at][1][number]))
            tables += [YoloTable(source, name, of_it) for (name, _), of_it in zip(names, rows, strict=True) if of_it]
        return tables


def _nearest(directory: Parts, names: list[tuple[ItemName, Mapping[str, str]]]) -> int | None:
    """The number of the file of names that holds for a directory; None where that is not told."""
    folders = [name.parts[:-1] for name, _ in names]
    above = [at for at, folder in enumerate(folders) if directory[: len(folder)] == folder]
    if above:
        return max(above, key=lambda at: len(folders[at]))
    return 0 if all(each == names[0][1] for _, each in names) else None
