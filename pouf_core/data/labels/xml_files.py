"""XML files that say the labels of pictures: one for each picture as Pascal VOC has them, and CVAT's own of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from xml.parsers import expat

from pouf_core.data.labels.tables import Rows
from pouf_core.data.text_rows import label_of
from pouf_core.errors import InvalidInput

_VOC, _CVAT = "annotation", "annotations"  # their roots
_LONGEST = 1000  # characters of a name


def rows_of_xml(data: bytes, most_rows: int) -> tuple[Literal["voc", "cvat"], Rows] | None:
    """The pictures that show exactly one class, at most as many, and what format says them; None for other XML.

    Of a picture in CVAT's own format its tags count, and where it has none what is drawn in it.

    Raises:
        InvalidInput: `labels_unreadable`.
    """
    reader = _Reader(most_rows)
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse_definitions
    try:
        parser.Parse(data, True)
    except _EndOfInterest:
        pass
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter of encodings that it does not know
        raise InvalidInput("labels_unreadable", f"The file of labels is not XML: {error}.") from error
    return None if reader.form is None else (reader.form, reader.rows)


class _EndOfInterest(Exception):
    """Nothing that follows is of use."""


def _refuse_definitions(*_: object) -> None:
    raise _EndOfInterest  # neither format defines anything, and definitions can unpack to any size


class _Reader:
    """Gathers files and their classes while a document is read, in constant memory but for the rows.

    Attributes:
        form: by the document's root; None where it is another.
        rows: of the pictures that show exactly one class.
    """

    def __init__(self, most_rows: int) -> None:
        self.form: Literal["voc", "cvat"] | None = None
        self.rows: Rows = []
        self._most_rows = most_rows
        self._path: list[str] = []
        self._said = ""
        self._begin("")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._path:
            self.form = "voc" if name == _VOC else "cvat" if name == _CVAT else None
            if self.form is None:
                raise _EndOfInterest
        self._path.append(name)
        self._said = ""
        if self.form == "cvat" and self._path == [_CVAT, "image"]:
            self._begin(attributes.get("name", ""))
        elif self.form == "cvat" and self._path[:2] == [_CVAT, "image"] and len(self._path) == 3:
            found = self._tags if name == "tag" else self._drawn
            found.add(attributes.get("label", ""))

    def characters(self, text: str) -> None:
        self._said = (self._said + text)[:_LONGEST]

    def end(self, name: str) -> None:
        if self.form == "voc":
            self._end_of_voc()
        elif self._path == [_CVAT, "image"]:
            self._add()
        self._path.pop()

    def _end_of_voc(self) -> None:
        if self._path == [_VOC, "filename"]:
            self._file = self._said.strip()
        elif self._path == [_VOC, "object", "name"]:
            self._drawn.add(self._said)
        elif self._path == [_VOC]:
            self._add()

    def _begin(self, file: str) -> None:
        self._file = file
        self._tags, self._drawn = set[str](), set[str]()

    def _add(self) -> None:
        classes = {label for one in (self._tags or self._drawn) if (label := label_of(one)) is not None}
        if self._file and len(classes) == 1:
            self.rows.append((self._file, classes.pop()))
            if len(self.rows) >= self._most_rows:
                raise _EndOfInterest
