"""Which folders of a path are labels, and which only hold or divide the data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

Parts = tuple[str, ...]

_SPLIT = re.compile(
    r"(?:(?P<train>train(?:ing)?)|(?P<test>test(?:ing)?)|(?P<val>val(?:id|idation)?)|(?P<dev>dev(?:elopment)?)"
    r"|(?P<eval>eval(?:uation)?)|(?P<holdout>holdout))"
    r"(?:[ _-]?(?:set|data|images|\d{1,4}))?"
)
_WORDS = re.compile(r"[ _-]+")
_UNLABELLED = frozenset(("unlabeled", "unlabelled", "unsup", "unsupervised"))
_YEAR = r"(?:19|20)\d\d"
_MONTH = r"(?:0?[1-9]|1[0-2]|[^\W\d_]{3,9}\.?)"
_DATE = re.compile(rf"{_YEAR}(?:[ ._-]?{_MONTH}(?:[ ._-]?\d{{1,2}})?)?|(?:\d{{1,2}}[ ._-])?{_MONTH}[ ._-]{_YEAR}")
_OF_A_YEAR = re.compile(rf"[^\W\d_]+[ _-]{_YEAR}")
_OF_A_DEVICE = re.compile(
    r"\b(?:backup|dcim|camera roll|screenshots|whatsapp|downloads|albums?)\b"
    r"|^\d{3}[a-z_]{5}$"  # as cameras number their folders: 100APPLE
    r"|^(?:camera|sent|private|recents?|favou?rites)$"
    rf"|^photos from {_YEAR}$",  # of Google
)
_MOST = 0.5  # of the folders, or more, for albums


def folder_labels(directories: Collection[Parts]) -> tuple[dict[Parts, str], set[str]]:
    """The label of each directory of a source (an archive, or a folder), and the levels that were skipped.

    From the outside in, a single folder around everything is passed over, and so is a level of nothing but parts of the
    data (`train`, `val`, `test` and the like). So is one with other folders beside them, where two such parts hold
    folders of the same name, which are classes then: of the others those count that hold one of these. The next level
    is the label, unless it says that there is none; below, nothing counts.

    Args:
        directories: the directories of all usable files, outermost part first.
    """
    here, depth, skipped = set(directories), 0, set[str]()
    while True:
        deeper = {parts for parts in here if len(parts) > depth}
        level = {parts[depth] for parts in deeper}
        divided = _parts_of_data(deeper, depth)
        if not divided and (len(level) != 1 or len(deeper) < len(here)):
            return _labels(deeper, depth), skipped
        if divided:
            skipped |= divided
            deeper = {parts for parts in deeper if parts[depth] in divided}
        here, depth = deeper, depth + 1


def _labels(directories: Collection[Parts], depth: int) -> dict[Parts, str]:
    """The label of each directory, where the folders at that depth are classes."""
    classes = {parts[depth] for parts in directories}
    named = {name for name in classes if name.casefold() not in _UNLABELLED} if len(classes) > 1 else classes
    return {parts: parts[depth] for parts in directories if parts[depth] in named}


def _parts_of_data(directories: Collection[Parts], depth: int) -> set[str]:
    """The folders at that depth which are parts of the data, where there are any."""
    level = {parts[depth] for parts in directories}
    known = {name: part for name in level if (part := _part_of_data(name)) is not None}
    around = {_around_a_part(name) for name in level}
    if len(known) == len(level) or (len(level) > 1 and len(around) == 1 and None not in around):
        return level
    inside: dict[str, set[str]] = {name: set() for name in level}
    for parts in directories:
        inside[parts[depth]].update(parts[depth + 1 : depth + 2])
    in_parts = {(part, folder) for name, part in known.items() for folder in inside[name]}
    classes = {folder for folder, parts in Counter(folder for _, folder in in_parts).items() if parts > 1}
    return {name for name in level if name in known or inside[name] & classes} if classes else set()


def are_albums(names: Sequence[str]) -> bool:
    """Whether half of the folders or more are named as albums and devices are, after dates above all: `Urlaub 2023`.

    Names of three words or more with a year may be models of cars, and are none.
    """
    plain = [name.strip().casefold() for name in names]
    return bool(plain) and sum(map(_is_album, plain)) >= _MOST * len(plain)


def _part_of_data(name: str) -> str | None:
    """Which part of the data a folder is by its name; None where it is none."""
    found = _SPLIT.fullmatch(name.strip().casefold())
    return found.lastgroup if found else None


def _around_a_part(name: str) -> tuple[str, ...] | None:
    """What folders of the data's parts have in common: `obj, , data` of `obj_train_data`; None where it is no such."""
    words = _WORDS.split(name.casefold())
    parts = [place for place, word in enumerate(words) if _SPLIT.fullmatch(word)]
    return (*words[: parts[0]], "", *words[parts[0] + 1 :]) if len(parts) == 1 else None


def _is_album(name: str) -> bool:
    return any(each.fullmatch(name) for each in (_DATE, _OF_A_YEAR)) or _OF_A_DEVICE.search(name) is not None
