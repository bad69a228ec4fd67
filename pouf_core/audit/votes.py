"""What several people's answers to one item come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pouf_core.audit.estimation import NONE_OF_THESE

CANT_TELL = -2
Outcome = Literal["answered", "none_of_these", "cant_tell", "disputed", "unanswered"]


def majority(answers: Iterable[int]) -> tuple[Outcome, int | None]:
    """The answer that more people gave than any other.

    Args:
        answers: one a person: a class's place, `NONE_OF_THESE`, or `CANT_TELL`, which is no vote.

    Returns:
        What came of it, and the class or `NONE_OF_THESE` where an answer won; an item whose most frequent answers are
        equally frequent is `disputed` and counts for nothing.
    """
    given = list(answers)
    votes = Counter(answer for answer in given if answer != CANT_TELL)
    if not votes:
        return ("cant_tell" if given else "unanswered"), None
    (best, times), *others = votes.most_common(2)
    if others and others[0][1] == times:
        return "disputed", None
    return ("none_of_these" if best == NONE_OF_THESE else "answered"), best
