"""The rules: which figure each compares with which row of `pouf_core.validation.thresholds`, and what it says.

A new rule is a row there, and here a `Criterion` in the tuples that ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pouf_core.contract.counts import counted
from pouf_core.contract.findings import Finding, finding, listed
from pouf_core.validation.measurements import Change, Relation, Size, Structure
from pouf_core.validation.thresholds import Level, Thresholds, constant

#: What tells how reliable predictions are: in words, since messages are for people who know nothing of views.
VERSIONS = "two versions of one item (a picture and its mirror image, or a text with some words left out)"


@dataclass(frozen=True)
class NamedChange:
    """A change of the predictions, with the names of the K classes."""

    change: Change
    class_names: Sequence[str]


Seen = TypeVar("Seen", Size, Structure, Relation, NamedChange)


@dataclass(frozen=True)
class Criterion(Generic[Seen]):
    """A rule about the size or the structure of the data, its relation to the classes, or about a change.

    Attributes:
        row: the row of the table with its limits.
        figure: what is compared with them.
        message: what a crossed limit means, from what was measured and the limit's value.
        can_tell: whether there is enough for the figure to say something.
    """

    row: str
    figure: Callable[[Seen], float]
    message: Callable[[Seen, float], str]
    can_tell: Callable[[Seen], bool] = lambda seen: True


def _weak_structure(seen: Structure, value: float) -> str:
    return (
        f"Neighbouring items get the same class only {max(seen.ratio, 0):.0%} as reliably as {VERSIONS} do "
        f"({value:.0%} are needed): items that lie close together are not of one class, so training has nothing to go "
        "by."
    )


def _little_room(seen: Structure, value: float) -> str:
    return (
        f"The base model is already sure of its classes: {VERSIONS} get the same one more reliably than is good for "
        f"learning ({seen.view_agreement:.2f}, where 0 is two items drawn at random and 1 is certain; the limit is "
        f'{value}). Wording that is learned for the classes then gains little and may lose; "tune": "head" is safer.'
    )


def _too_few_items(seen: Size, value: float) -> str:
    return (
        f"{counted(seen.item_count, 'item')} for {counted(seen.class_count, 'class')}; {value:.0f} a class are needed."
    )


def _unrelated(seen: Relation, _: float) -> str:
    return (
        "The class features have no more to do with the items than those of an unrelated encoder would. Make both with "
        "one model: pictures and class names with the two towers of one CLIP, texts and class names with one sentence "
        "encoder. Data of a single class may look like that, too; then add items of others."
    )


def _overruled(seen: NamedChange, _: float) -> str:
    lost = f"{seen.change.overruled_confidence:.2f}"
    return f"Where the class changed, the base model had preferred the old one by {lost} on average."


def _flips(seen: NamedChange, _: float) -> str:
    return f"Adaptation changes the class of {seen.change.flip_rate:.0%} of the items."


def _label_share_shift(seen: NamedChange, _: float) -> str:
    shift = f"{seen.change.marginal_shift:.2f}"
    return f"The shares of the classes are not the expected ones: they differ by {shift}, where 0 is no difference."


def _one_sided(seen: NamedChange, _: float) -> str:
    return (
        f"{seen.change.one_sidedness:.0%} of the changes only shift the classes' shares: that moves the line between "
        "classes by a guess at their shares, and tells them apart no better."
    )


def _collapsed(seen: NamedChange, _: float) -> str:
    names = listed([seen.class_names[index] for index in seen.change.vanished])
    return f"The adapted model almost never predicts: {names}."


def _overconfident(seen: NamedChange, _: float) -> str:
    gain = f"{seen.change.confidence_gain:.2f}"
    return f"Mean confidence rises by {gain}; scores of the adapted model run high."


def _enough_changes(seen: NamedChange) -> bool:
    return seen.change.changed_count >= constant("least_changes")


STRUCTURE = Criterion[Structure]("structure", lambda seen: seen.ratio, _weak_structure)
ROOM = Criterion[Structure]("view_agreement", lambda seen: seen.view_agreement, _little_room)
ITEMS = Criterion[Size]("items_per_class", lambda seen: seen.item_count / seen.class_count, _too_few_items)
RELATION = Criterion[Relation](
    "class_relation",
    lambda seen: seen.deviations,
    _unrelated,
    # two differ in one direction, which lies near those of the others by chance too often
    lambda seen: min(seen.item_count, seen.class_count) >= constant("least_related"),
)
OVERRULED = Criterion[NamedChange](
    "overruled_confidence", lambda seen: seen.change.overruled_confidence, _overruled, _enough_changes
)
FLIPS = Criterion[NamedChange]("flip_rate", lambda seen: seen.change.flip_rate, _flips)
LABEL_SHARE_SHIFT = Criterion[NamedChange](
    "label_share_shift", lambda seen: seen.change.marginal_shift, _label_share_shift
)
ONE_SIDED = Criterion[NamedChange]("one_sidedness", lambda seen: seen.change.one_sidedness, _one_sided, _enough_changes)
COLLAPSED = Criterion[NamedChange](
    "collapsed_classes", lambda seen: len(seen.change.vanished) / len(seen.class_names), _collapsed
)
CONFIDENCE = Criterion[NamedChange]("confidence_gain", lambda seen: seen.change.confidence_gain, _overconfident)

# In the order in which findings are listed.
DATA_CHECKS = (STRUCTURE, ROOM)
CHANGE_CHECKS = (OVERRULED, FLIPS, LABEL_SHARE_SHIFT, ONE_SIDED, COLLAPSED)
DATA_WARNINGS = (ITEMS,)
RELATION_CHECKS = (RELATION,)
CHANGE_WARNINGS = (COLLAPSED, FLIPS, LABEL_SHARE_SHIFT, CONFIDENCE)


def failed_data_checks(structure: Structure, thresholds: Thresholds) -> list[Finding]:
    """Why data with this structure is not to be trained on: the first failed check, since later ones presume it."""
    return _findings(DATA_CHECKS, structure, thresholds, "failed_check")[:1]


def failed_change_checks(change: Change, class_names: Sequence[str], thresholds: Thresholds) -> list[Finding]:
    """Why a change is not to be trusted, whatever the data: every failed check."""
    return _findings(CHANGE_CHECKS, NamedChange(change, class_names), thresholds, "failed_check")


def insufficient_data(size: Size, thresholds: Thresholds) -> list[Finding]:
    """Why there is too little data for a verdict; empty where there is enough."""
    return _findings(DATA_WARNINGS, size, thresholds, "uncertain")


def unrelated_classes(relation: Relation, thresholds: Thresholds) -> list[Finding]:
    """Whether the class features seem to be another encoder's than the items'; empty where they do not."""
    return _findings(RELATION_CHECKS, relation, thresholds, "uncertain")


def warnings_about(size: Size, change: Change, class_names: Sequence[str], thresholds: Thresholds) -> list[Finding]:
    """What a person should look at in the data and in a change, whatever the verdict."""
    about_data = _findings(DATA_WARNINGS, size, thresholds, "warning")
    return about_data + _findings(CHANGE_WARNINGS, NamedChange(change, class_names), thresholds, "warning")


def _findings(criteria: Sequence[Criterion[Seen]], seen: Seen, thresholds: Thresholds, level: Level) -> list[Finding]:
    """What the criteria yield at a level."""
    found = []
    for criterion in criteria:
        crossing = thresholds.crossing(criterion.row, level, criterion.figure(seen))
        if crossing is not None and criterion.can_tell(seen):
            found.append(finding(crossing.code, criterion.message(seen, crossing.value)))
    return found
