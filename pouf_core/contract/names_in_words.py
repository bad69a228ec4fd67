"""Class names as prompts say them: `annual_crop` and `AnnualCrop` are written for programs, and read as words."""

from __future__ import annotations

from collections.abc import Sequence

_SHORTEST_CAPITALISED = 3  # McDonald, WiFi and PhD are names; SeaLake is two words
_SHORTEST = 2  # iPhone, eBay and PlanB are names


def in_words(name: str) -> str:
    """A name with spaces between its words.

    Underscores are spaces. In a name that is one run of letters and digits a capital after a small letter begins a
    word, and so does the last capital before small letters: `TVMonitor` is "TV monitor". Its words are then small, all
    capitals aside. It stays as it is where a part would be too short for a word (`iPhone`, `McDonald`, `DVDs`) or where
    all capitals end two parts (`macOS`).
    """
    spaced = " ".join(name.replace("_", " ").split())
    parts = _parts(spaced) if spaced.isalnum() else [spaced]
    if len(parts) == 1 or not all(map(_is_word, parts)) or (len(parts) == 2 and parts[1].isupper()):
        return spaced
    return " ".join(part if part.isupper() else part.lower() for part in parts)


def _parts(name: str) -> Sequence[str]:
    starts = [0, *(place for place in range(1, len(name)) if _begins_word(name, place)), len(name)]
    return [name[start:end] for start, end in zip(starts, starts[1:], strict=False)]


def _begins_word(name: str, place: int) -> bool:
    before, after = name[place - 1], name[place + 1 : place + 2]
    return name[place].isupper() and (before.islower() or after.islower())


def _is_word(part: str) -> bool:
    shortest = _SHORTEST if part.islower() or part.isupper() else _SHORTEST_CAPITALISED
    return len(part) >= shortest
