"""Reports of one job, and what a person reads on them."""

from html.parser import HTMLParser
from typing import Any

from app.web.predictions import ClassCount, Confusion, Guess, Mistake, PredictionSummary, ShownItem
from app.web.report import ReportParts, render_report

EVALUATION = {"zero_shot_interval": [0.5, 0.7], "adapted_interval": [0.4, 0.61], "n": 100, "unmatched": 0}
WORSE = EVALUATION | {"zero_shot_accuracy": 0.6, "adapted_accuracy": 0.5}
REASONS = [{"code": "classes_vanished", "message": "2 of 3 classes are not predicted any more."}]


HARMFUL = {"verdict": "harmful", "verdict_reasons": REASONS, "fallback": "zero_shot", "selected_step": 4}


class Reader(HTMLParser):
    """The words of a page, with the names of its elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._silent = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words += data.split()


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def render(job: dict[str, Any], **parts: Any) -> str:
    return render_report(job, ReportParts(**parts))


def text(job: dict[str, Any], **changes: Any) -> str:
    return " ".join(read(render(job | changes)).words)


def main_part(page: str) -> str:
    """What a person reads, without the raw settings."""
    return " ".join(read(page[: page.index('<section id="raw-settings">')]).words)


METRICS = [{"step": step, "loss": 1 / step, "transport": 2 / step} for step in range(1, 10)]


def audit(difference: float) -> dict[str, Any]:
    one = {"value": 0.5, "interval": [0.4, 0.6]}
    found = {"zero_shot": one, "adapted": one, "difference": {"value": difference, "interval": [-0.2, -0.01]}}
    found |= {"classes": [], "wished_accuracy": 0.95, "threshold": None, "more_answers": None}
    counts = {"answered": 40, "none_of_these": 0, "cant_tell": 0, "disputed": 0}
    about = {"created_at": "2026-01-01", "size": 40, "people": 1, "applied": None, "proposal": None}
    return {"counts": counts, "estimate": found, **about}


POINTS = [
    {"threshold": 0.9, "answered": 0.25, "accuracy": 0.98},
    {"threshold": 0.7, "answered": 0.5, "accuracy": 0.95},
    {"threshold": 0.0, "answered": 1.0, "accuracy": 0.81},
]


def curve(proposed: dict[str, float] | None) -> dict[str, Any]:
    return {"points": POINTS, "proposed": proposed}


CHANGED = ShownItem("yard/<i>17.jpg", "0" * 64, None, None, Guess("cat", 0.64), Guess("dog", 0.97))
SUMMARY = PredictionSummary(
    dataset_id="ds_1",
    item_count=2000,
    changed=300,
    to_review=40,
    counts=[ClassCount("cat", 1500, 1200), ClassCount("dog", 500, 800)],
    most_changed=[CHANGED],
    probabilities=[0] * 19 + [2000],
)
CONFUSION = Confusion(50, 41, ["cat", "dog"], [[20, 7], [2, 21]], [Mistake("cat", "<b>dog", 7)])
