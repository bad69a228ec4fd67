"""Which folders of a path are labels, and which only hold or divide the data."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

Parts = tuple[str, ...]

_SPLIT = re.compile(r"(?:train|training|test|testing|val|valid|validation)(?:[ _-]?(?:set|data|images|\d{1,4}))?")
_YEAR = r"(?:19|20)\d\d"
_MONTH = r"(?:0?[1-9]|1[0-2]|[^\W\d_]{3,9}\.?)"
_DATE = re.compile(rf"{_YEAR}(?:[ ._-]?{_MONTH}(?:[ ._-]?\d{{1,2}})?)?|(?:\d{{1,2}}[ ._-])?{_MONTH}[ ._-]{_YEAR}")
_OF_A_YEAR = re.compile(rf"[^\W\d_]+[ _-]{_YEAR}")
_OF_A_DEVICE = re.compile(
    r"\b(?:backup|dcim|camera roll|screenshots|whatsapp|downloads|albums?)\b"
    r"|^\d{3}[a-z_]{5}$",  # as cameras number their folders: 100APPLE
)
_MOST = 0.5  # of the folders, for albums


def folder_labels(directories: Collection[Parts]) -> tuple[dict[Parts, str], set[str]]:
    """The label of each directory of a source (an archive, or a folder), and the levels that were skipped.

    From the outside in, a single folder around everything is passed over, and so is a level of nothing but parts of the
    data (`train`, `val`, `test` and the like). The next level is the label; below, nothing counts.

    Args:
        directories: the directories of all usable files, outermost part first.
    """
    here, depth, skipped = set(directories), 0, set[str]()
    while True:
        deeper = {parts for parts in here if len(parts) > depth}
        level = {parts[depth] for parts in deeper}
        divides = bool(level) and all(map(_divides, level))
        if not divides and (len(level) != 1 or len(deeper) < len(here)):
            return {parts: parts[depth] for parts in deeper}, skipped
        if divides:
            skipped |= level
        here, depth = deeper, depth + 1


def are_albums(names: Sequence[str]) -> bool:
    """Whether most folders are named as people name albums and devices, after dates above all: `Urlaub 2023`, `DCIM`.

    Names of three words or more with a year may be models of cars, and are none.
    """
    plain = [name.strip().casefold() for name in names]
    return bool(plain) and sum(map(_is_album, plain)) > _MOST * len(plain)


def _divides(name: str) -> bool:
    return _SPLIT.fullmatch(name.strip().casefold()) is not None


def _is_album(name: str) -> bool:
    return any(each.fullmatch(name) for each in (_DATE, _OF_A_YEAR)) or _OF_A_DEVICE.search(name) is not None
