"""Files that cameras, phones, photo services and labelling tools put beside a picture, and that are none themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from pouf_core.contract.normal_form import normalized
from pouf_core.data.file_kinds import RAW_SUFFIXES

_ALWAYS = (".xmp", ".aae", ".thm", ".lrcat", ".lrprev")  # edits, thumbnails of films, Lightroom's own
_OF_SERVICES = frozenset(  # Google Takeout and iCloud
    (
        *("archive_browser.html", "print-subscriptions.json", "shared_album_comments.json"),
        *("user-generated-memory-titles.json", "photo details.csv"),
    )
)
#: Of live photos; of Google Takeout; what a camera took before it made the picture; what YOLO and captions say of it.
_BESIDE_A_PICTURE = (".mov", ".mp4", ".mp", ".json", *RAW_SUFFIXES, ".txt")
_TAKEN, _OF_AN_ALBUM = "photoTakenTime", {"title", "date"}  # fields of Takeout's JSON
_MOST_OF_TAKEOUT = 65_536  # bytes
_ANNOTATIONS, _PICTURES = "labels", "images"  # the folders of YOLO
_NUMBER_AT_END = re.compile(r"(.*)(\.\w+)(\(\d+\))")  # Takeout says `a.jpg(1).json` of `a(1).jpg`

Place = tuple[str, ...]


def is_sidecar(file_name: str) -> bool:
    """Whether a file is one by its name, wherever it lies."""
    return file_name.lower().endswith(_ALWAYS) or file_name.lower() in _OF_SERVICES


def is_of_takeout(data: bytes) -> bool:
    """Whether a `.json` is of a picture or an album of Google Takeout, which cuts and translates their names."""
    if len(data) > _MOST_OF_TAKEOUT:
        return False
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and (_TAKEN in found or found.keys() >= _OF_AN_ALBUM)


def may_be_of_takeout(file_name: str) -> bool:
    """Whether `is_of_takeout` is to be asked."""
    return file_name.lower().endswith(".json")


def may_be_sidecar(file_name: str) -> bool:
    """Whether a file is one if it lies beside the picture that it is named after."""
    return file_name.lower().endswith(_BESIDE_A_PICTURE)


class PicturesBeside:
    """Pictures, by what files beside them are named after.

    Args:
        pictures: folders and file name of each.
    """

    def __init__(self, pictures: Iterable[Sequence[str]]) -> None:
        self._places: set[Place] = set()
        for parts in pictures:
            folder, name = _folded(parts[:-1]), _folded(parts[-1:])[0]
            self._places |= {(*folder, name), (*folder, PurePosixPath(name).stem)}

    def include_one_for(self, parts: Sequence[str]) -> bool:
        """Whether a file is named after a picture beside: `a.mov` after `a.heic`, `a.jpg.meta.json` after `a.jpg`."""
        folder, name = _folded(parts[:-1]), _folded(parts[-1:])[0]
        folders = {folder, tuple(_PICTURES if part == _ANNOTATIONS else part for part in folder)}
        return any((*each, named) in self._places for each in folders for named in _named_after(name))


def _named_after(name: str) -> Iterator[str]:
    yield name  # `a.MP` of `a.MP.jpg`
    stem = PurePosixPath(name).stem
    numbered = _NUMBER_AT_END.fullmatch(stem)
    if numbered:
        yield f"{numbered[1]}{numbered[3]}{numbered[2]}"
    while stem:
        yield stem
        stem = stem.rpartition(".")[0]


def _folded(parts: Sequence[str]) -> Place:
    return tuple(normalized("NFC", part).casefold() for part in parts)
