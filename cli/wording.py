"""Figures, and fields of requests, in words for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pouf_core.contract.abstention import AnswerPoint

#: What options are called where that is not the field's name; None: what is said of the field says enough.
_OPTIONS = {
    "class_names": "--classes",
    "class_features_dataset_id": "--class-features",
    "expires_at": "--expires-in-days",
    "scopes": "--scope",
    "text_limits": "--text-limit",
    "type": "--method",
    "name": "name",  # an option of some commands, and an argument of another
    "answers": None,
    "dataset_id": None,
    "files": None,
    "inputs": None,
    "jobs": None,
}
#: Where fields are that are options of their own.
_AROUND = {"query", "limits"}


def gain_in_words(points: float, low: float, high: float) -> str:
    """An estimated gain in percentage points of accuracy, with its interval."""
    return f"{points:+.1f} points of accuracy, 90 % interval {low:+.1f} to {high:+.1f}"


def proposal_in_words(proposed: "AnswerPoint | None", wished_accuracy: float) -> str:
    """What the proposed threshold gives, as estimated without labels."""
    if proposed is None:
        return f"none; no threshold is estimated to reach an accuracy of {wished_accuracy:.1%}"
    given = (
        f"{proposed.answered:.1%} of the items would get a class, an estimated {proposed.accuracy:.1%} of them right"
    )
    return f"{proposed.threshold:.4g}; {given}"


def option_of(pointer: str) -> str | None:
    """The option that fills a field of a request; None of one that no option fills.

    Args:
        pointer: a JSON pointer, such as `/class_names/1` for `--classes` and `/method/tune` for `--method tune`.
    """
    field, *inner = [part for part in pointer.split("/") if part and part not in _AROUND] or [""]
    option = _OPTIONS.get(field, f"--{field.replace('_', '-')}" if field else None)
    return f"{option} {inner[0]}" if option == "--method" and inner else option
