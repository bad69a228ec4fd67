"""Finding the picture that a file of labels means by a name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from pouf_core.data.labels.folders import Parts

_LONGEST_SUFFIX = 5
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # before the name of a file that was uploaded to Label Studio


@dataclass(frozen=True)
class Occurrence:
    """A usable picture at one path of one source (an archive, a folder, or all loose files together)."""

    source: str
    parts: Parts
    sha256: str


class PictureNames:
    """Pictures by their names.

    Args:
        occurrences: all of them.
    """

    def __init__(self, occurrences: Iterable[Occurrence]) -> None:
        self._occurrences = list(occurrences)

    def find(self, source: str, directory: Parts, name: Parts) -> str | None:
        """The content hash of the picture that is meant; None where there is none, or may be several.

        First the picture at that path from the file of labels on; then the only one, anywhere, whose path ends so; then
        the only one of that file name; then without regard to case; then without the name's suffix; then without what
        Label Studio puts before the names of files.
        """
        file = _composed(name)
        at = self._here.get((source, _composed(directory) + file))
        if at is not None:
            return at
        forms = ((self._exact, file), (self._folded, _folded(file)), (self._bare, _bare(_folded(file))))
        for index, path in forms:
            for wanted in (path, path[-1:]):
                found = index.get(wanted, set())
                if len(found) == 1:
                    return next(iter(found))
        uploaded = _UPLOADED.sub("", name[-1])
        return self.find(source, directory, (*name[:-1], uploaded)) if uploaded != name[-1] else None

    @cached_property
    def _here(self) -> dict[tuple[str, Parts], str]:
        return {(each.source, _composed(each.parts)): each.sha256 for each in self._occurrences}

    @cached_property
    def _exact(self) -> dict[Parts, set[str]]:
        return self._by_every_ending(lambda parts: parts)

    @cached_property
    def _folded(self) -> dict[Parts, set[str]]:
        return self._by_every_ending(_folded)

    @cached_property
    def _bare(self) -> dict[Parts, set[str]]:
        return self._by_every_ending(lambda parts: _bare(_folded(parts)))

    def _by_every_ending(self, form: Callable[[Parts], Parts]) -> dict[Parts, set[str]]:
        """By `b.png`, `a/b.png`, …"""
        found: dict[Parts, set[str]] = defaultdict(set)
        for each in self._occurrences:
            parts = form(_composed(each.parts))
            for start in range(len(parts)):
                found[parts[start:]].add(each.sha256)
        return dict(found)


def _composed(parts: Parts) -> Parts:
    """Names in one Unicode form: macOS writes accents apart from their letters, most tables do not."""
    return tuple(unicodedata.normalize("NFC", part) for part in parts)


def _folded(parts: Parts) -> Parts:
    return tuple(part.casefold() for part in parts)


def _bare(parts: Parts) -> Parts:
    stem, dot, suffix = parts[-1].rpartition(".")
    return (*parts[:-1], stem) if dot and stem and len(suffix) <= _LONGEST_SUFFIX else parts
