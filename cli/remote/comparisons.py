"""Two jobs side by side."""

from typing import TYPE_CHECKING

from cli.remote.output import note, print_fields, print_table

if TYPE_CHECKING:
    from pouf_client import JobComparison


def print_comparison(comparison: "JobComparison") -> None:
    """Agreement, accuracies as far as they are known, and the first items on which the jobs differ."""
    first, second = comparison["jobs"]
    difference, interval = comparison["difference"], comparison["difference_interval"]
    answers = comparison["by_answers"]
    print_fields(
        {
            "items": comparison["item_count"],
            "agreement": f"{comparison['agreement']:.1%}",
            "labelled": comparison["labelled_count"],
            first["id"]: _share(first["accuracy"]),
            second["id"]: _share(second["accuracy"]),
            "difference": _points(difference, interval),
            "by answers": answers and _points(answers["difference"]["value"], list(answers["difference"]["interval"])),
        }
    )
    if not comparison["differing"]:
        note("They say the same of every item.")
        return
    rows = (
        (item["name"], *(f"{said['label']} {said['probability']:.2f}" for said in item["predictions"]))
        for item in comparison["differing"]
    )
    print_table(("item", first["id"], second["id"]), rows)


def _share(accuracy: float | None) -> str | None:
    return None if accuracy is None else f"{accuracy:.1%} right"


def _points(difference: float | None, interval: list[float] | None) -> str | None:
    if difference is None or interval is None:
        return None
    return f"{100 * difference:+.1f} points ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"
