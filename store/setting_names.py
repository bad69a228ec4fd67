"""Environment variables that look like settings and are none: a mistyped one would be ignored without a word."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

logger = logging.getLogger(__name__)

PREFIX = "POUF_"
#: What the command line, the client and Compose read themselves, and what the supervisor marks its processes with.
OTHER_NAMES = frozenset({"POUF_API_KEY", "POUF_DEBUG", "POUF_PUBLISH", "POUF_SUPERVISED_BY", "POUF_URL"})
MOST_EDITS = 2


class MistypedSetting(ValueError):
    """A variable is nearly a setting's name; the message says which."""


def check_names(environment: Mapping[str, str], settings: Iterable[str]) -> None:
    """Warn of variables ``POUF_…`` that are unknown.

    Args:
        environment: names to values.
        settings: the settings' field names.

    Raises:
        MistypedSetting: some are at most two edits away from a setting, and so were meant for one.
    """
    known = {variable_of(name) for name in settings}
    unknown = sorted(
        name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known | OTHER_NAMES
    )
    meant = {name: _nearest(name.upper(), known) for name in unknown}
    mistyped = [f"{name} is no setting; did you mean {nearest}?" for name, nearest in meant.items() if nearest]
    if mistyped:
        raise MistypedSetting("\n".join(mistyped))
    for name in unknown:
        logger.warning("%s is no setting of this version and does nothing", name)


def variable_of(field: str) -> str:
    """Return the environment variable of a field of the settings."""
    return f"{PREFIX}{field.upper()}"


def _nearest(name: str, known: set[str]) -> str | None:
    """Return the setting that is at most two edits away, if one is."""
    near = [(edits, other) for other in sorted(known) if (edits := _edits(name, other)) <= MOST_EDITS]
    return min(near)[1] if near else None


def _edits(one: str, other: str) -> int:
    """Return how many characters have to be put in, taken out or replaced to make one name of the other."""
    if abs(len(one) - len(other)) > MOST_EDITS:
        return MOST_EDITS + 1
    changes = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return sum(max(end - start, to - at) for kind, start, end, at, to in changes if kind != "equal")
