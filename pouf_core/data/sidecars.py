"""Files that cameras, phones and photo services put beside a picture, and that are none themselves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

_ALWAYS = (".xmp", ".aae", ".thm")  # edits, and thumbnails of films
_BESIDE_A_PICTURE = (".mov", ".mp4", ".json")  # of live photos, and of Google Takeout
_NUMBER_AT_END = re.compile(r"(.*)(\.\w+)(\(\d+\))")  # Takeout says `a.jpg(1).json` of `a(1).jpg`

Place = tuple[str, ...]


def is_sidecar(file_name: str) -> bool:
    """Whether a file is one by its suffix, wherever it lies."""
    return file_name.lower().endswith(_ALWAYS)


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
        return any((*folder, named) in self._places for named in _named_after(name))


def _named_after(name: str) -> Iterator[str]:
    stem = PurePosixPath(name).stem
    numbered = _NUMBER_AT_END.fullmatch(stem)
    if numbered:
        yield f"{numbered[1]}{numbered[3]}{numbered[2]}"
    while stem:
        yield stem
        stem = stem.rpartition(".")[0]


def _folded(parts: Sequence[str]) -> Place:
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in parts)
