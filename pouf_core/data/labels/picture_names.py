"""Finding the picture that a file of labels means by a name."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import ne

from pouf_core.contract.normal_form import normalized
from pouf_core.data.labels.folders import Parts

_LONGEST_SUFFIX = 5
_AFTER_SLASH = chr(ord("/") + 1)
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # before the name of a file that was uploaded to Label Studio


@dataclass(frozen=True)
class Occurrence:
    """A usable picture at one path of one source (an archive, a folder, or all loose files together).

    Its label is what the table says that holds it.
    """

    source: str
    parts: Parts
    sha256: str
    label: str | None = None


def labels_of_tables(occurrences: Iterable[Occurrence]) -> dict[str, set[str]]:
    """The labels of each content hash that tables have with their pictures."""
    labels: dict[str, set[str]] = defaultdict(set)
    for one in occurrences:
        if one.label is not None:
            labels[one.sha256].add(one.label)
    return dict(labels)


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
        for endings, path in forms:
            for wanted in (path, path[-1:]):
                found = endings.only(wanted)
                if found is not None:
                    return found
        uploaded = _UPLOADED.sub("", name[-1])
        return self.find(source, directory, (*name[:-1], uploaded)) if uploaded != name[-1] else None

    @cached_property
    def _here(self) -> dict[tuple[str, Parts], str]:
        return {(each.source, _composed(each.parts)): each.sha256 for each in self._occurrences}

    @cached_property
    def _exact(self) -> _Endings:
        return self._endings(lambda parts: parts)

    @cached_property
    def _folded(self) -> _Endings:
        return self._endings(_folded)

    @cached_property
    def _bare(self) -> _Endings:
        return self._endings(lambda parts: _bare(_folded(parts)))

    def _endings(self, form: Callable[[Parts], Parts]) -> _Endings:
        return _Endings((form(_composed(each.parts)), each.sha256) for each in self._occurrences if each.parts)


class _Endings:
    """Pictures by how their paths end: a sorted list of these from their ends on, however deep they are.

    Args:
        pictures: paths and content hashes.
    """

    def __init__(self, pictures: Iterable[tuple[Parts, str]]) -> None:
        ordered = sorted((_backwards(parts), sha256) for parts, sha256 in pictures)
        self._paths = [path for path, _ in ordered]
        self._hashes = [sha256 for _, sha256 in ordered]
        self._runs = list(accumulate(map(ne, self._hashes, self._hashes[1:]), initial=0))

    def only(self, path: Parts) -> str | None:
        """The content hash of all pictures whose path ends so; None where there is none, or several."""
        wanted = _backwards(path)
        first = bisect_left(self._paths, wanted)
        last = bisect_left(self._paths, wanted[:-1] + _AFTER_SLASH) - 1
        return self._hashes[first] if first <= last and self._runs[first] == self._runs[last] else None


def _backwards(parts: Parts) -> str:
    """`b.png/a/` of `a/b.png`: it begins as that of any ending of the path."""
    return "".join(f"{part}/" for part in reversed(parts))


def _composed(parts: Parts) -> Parts:
    """Names in one Unicode form: macOS writes accents apart from their letters, most tables do not."""
    return tuple(normalized("NFC", part) for part in parts)


def _folded(parts: Parts) -> Parts:
    return tuple(part.casefold() for part in parts)


def _bare(parts: Parts) -> Parts:
    stem, dot, suffix = parts[-1].rpartition(".")
    return (*parts[:-1], stem) if dot and stem and len(suffix) <= _LONGEST_SUFFIX else parts
