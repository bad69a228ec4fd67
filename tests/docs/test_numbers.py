"""The gains that README and docs tell are those of the committed results."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs import generate

ROOT = Path(generate.FILE).parent.parent
SKEWS = ("as they are", "1:10", "1:50", "a third absent")
#: How the tables call a family of the results; None: the mean of all.
NAMES = {
    "WHU-RS19": ("pairs", "whurs19"),
    "DTD": ("pairs", "dtd"),
    "Stanford Cars": ("pairs", "stanford_cars"),
    "Food-101": ("pairs", "food10_CLIP_ViT-B-32"),
    "CIFAR-10": ("pairs", "cifar10_CLIP_ViT-B-32"),
    "fashion products": ("pairs", "fashion2000_CLIP_ViT-B-32"),
    "emoji": ("pouf-lite", None),
    "minilm": ("text", None),
}


def results(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "benchmarks" / "results" / f"{name}-2core-cpu.json").read_text()))


def rows_below(page: str, heading: str) -> list[list[str]]:
    """The cells of a table, row by row."""
    table = (ROOT / page).read_text(encoding="utf-8").partition(heading)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def gain(what: str, form: str, skew: str) -> float:
    (kind, family) = next(found for name, found in NAMES.items() if name in what)
    measured = results("gain")["gains"][kind][form][skew]
    return float(measured["mean"] if family is None else measured["families"][family])


def numbers(cell: str) -> list[float]:
    return [float(each.replace("\N{MINUS SIGN}", "-")) for each in re.findall(r"[-\N{MINUS SIGN}]?\d+(?:\.\d+)?", cell)]


@pytest.mark.parametrize("row", rows_below("docs/closed-forms.md", "| data | zero-shot |"), ids=lambda row: row[0])
def test_the_table_of_gains_is_what_was_measured(row: list[str]) -> None:
    told = [numbers(cell)[0] for cell in (*row[2:6], row[7])]
    measured = [gain(row[0], "auto", skew) for skew in SKEWS] + [gain(row[0], "best in hindsight", "all")]
    assert told == [pytest.approx(each, abs=0.051) for each in measured]


def test_the_first_table_of_the_readme_is_what_was_measured() -> None:
    *sets, clipart = rows_below("README.md", "| accuracy, without any label |")
    for what, before, after in sets:
        told = numbers(after)[0] - numbers(before)[0]
        assert told == pytest.approx(gain(what, "auto", "as they are"), abs=0.11), what  # both ends are rounded
    best = next(row for row in results("clipart-quality")["rows"] if row["what"] == "best")
    told = [numbers(cell)[0] for cell in clipart[1:]]
    assert told == [pytest.approx(best[each], abs=0.051) for each in ("zero_shot_percent", "served_percent")]


def test_the_qualities_of_the_readme_are_what_was_measured() -> None:
    for (name, _, told), row in zip(
        rows_below("README.md", "| | it costs |"), results("clipart-quality")["rows"], strict=True
    ):
        assert row["what"] in name
        measured = [row["median_seconds"], row["zero_shot_percent"], row["served_percent"]]
        assert numbers(told) == [pytest.approx(each, abs=0.51) for each in measured]
