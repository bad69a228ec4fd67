"""The report on a job: one page that needs nothing from anywhere else, of the same parts as the pages."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from app.web.answers import answers_of
from app.web.charts import columns, curve, number_axis
from app.web.judgement import Fields, judgement_of
from app.web.predictions import BINS, Confusion, PredictionSummary, ShownItem
from app.web.templating import environment, signed

_ENVIRONMENT = environment()
_NOT_PLOTTED = {"step", "created_at"}
#: What training counts; the names are those of the metrics.
_MEASURED = {
    "loss": "The loss: what training lowers.",
    "transport": "Transport: the distance between items and classes.",
    "transport_cost": "Transport cost: the distance between items and classes.",
    "transport_error": "Transport error: the share of the items that were left unmatched.",
    "target_to_prototype": "From target to prototype: the distance from items to classes.",
    "prototype_to_target": "From prototype to target: the distance from classes to items.",
    "conditional_entropy": "Conditional entropy: how unsure the model is of single items.",
    "marginal_entropy": "Marginal entropy: how evenly the items are spread over the classes.",
    "cross_entropy": "Cross-entropy: the distance from the classes that the items had before.",
    "learning_rate": "Learning rate: the length of a step.",
}
_SHARES = {
    "given": "given with the job",
    "estimated": "estimated from the data",
    "uniform": "every class is expected equally often",
}


@dataclass(frozen=True)
class TriedForm:
    """A closed form that was tried, with its numbers and what is estimated of it in words.

    Attributes:
        passed_over: whether it was out of the choice, whatever its estimated gain.
    """

    tune: str
    settings: str
    changed: float
    gain: str
    interval: str
    passed_over: bool


@dataclass(frozen=True)
class ReportParts:
    """What a report shows beside the job's own document.

    Attributes:
        metrics: numbers by step.
        predictions: of its items, if there are any.
        examples: some of the items, drawn at random.
        confusion: where items have labels.
        audits: newest first.
        pictures: content hash to the address of a picture, which holds the picture.
        style: sheet of the pages.
    """

    metrics: Sequence[Fields] = ()
    predictions: PredictionSummary | None = None
    examples: Sequence[ShownItem] = ()
    confusion: Confusion | None = None
    audits: Sequence[Fields] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)
    style: str = ""


def render_report(job: Fields, parts: ReportParts) -> str:
    """Return the page for the job's document."""

    def picture_of(item: ShownItem) -> str | None:
        return parts.pictures.get(item.sha256)

    return _ENVIRONMENT.get_template("report.html.jinja").render(
        job=job,
        style=Markup(parts.style),
        judged=judgement_of(job, parts.audits, parts.predictions) if job["model_id"] else None,
        audits=parts.audits,
        outcome=parts.predictions,
        shown=parts.examples,
        confusion=parts.confusion,
        picture_of=picture_of,
        sure_chart=None if parts.predictions is None else sureness_chart(parts.predictions),
        answers=answers_of(job) if job["model_id"] else None,
        steps=parts.metrics[-1]["step"] if parts.metrics else 0,
        charts=step_charts(parts.metrics, job["selected_step"]),
        shares=_expected_shares(job),
        tried=_tried_forms(job),
        settings=_settings(job["method"]),
    )


def sureness_chart(predictions: PredictionSummary) -> Markup:
    """Return columns of the items by the probability of their class."""
    width = 100 // BINS
    bars = [(str(width * place), count) for place, count in enumerate(predictions.probabilities)]
    return columns("Items by the probability of their class", "probability of the class, from … %", "items", bars)


@dataclass(frozen=True)
class StepChart:
    """A number by step, and what it is."""

    drawn: Markup
    caption: str


def step_charts(
    metrics: Sequence[Fields], kept_step: int | None, names: Sequence[str] | None = None
) -> list[StepChart]:
    """Return a chart of each number by step: of those named, else of all."""
    if names is None:
        numbers = {name for row in metrics for name, value in row.items() if _is_number(value)}
        names = sorted(numbers - _NOT_PLOTTED)
    charts = []
    for name in names:
        points = [(row["step"], row[name]) for row in metrics if _is_number(row.get(name))]
        if len(points) > 1:
            kept = None if kept_step is None else min(max(kept_step, points[0][0]), points[-1][0])
            words = name.replace("_", " ")
            drawn = curve(f"{words} by step", number_axis("step"), number_axis(words), points, line=kept)
            charts.append(StepChart(drawn, _MEASURED.get(name, words)))
    return charts


def _expected_shares(job: Fields) -> tuple[str, list[tuple[str, float]]] | None:
    """Return where the expected shares of the classes come from, and them; None where none are used or known yet."""
    shares = job["method"].get("class_prior")
    if not isinstance(shares, list):
        return None
    names = [item["name"] if isinstance(item, dict) else item for item in job["class_names"]]
    source = job["method"].get("class_prior_source", "given")
    return _SHARES.get(source, source), list(zip(names, shares, strict=True))


def _tried_forms(job: Fields) -> list[TriedForm]:
    """Return the closed forms that were tried, best first."""
    return [
        TriedForm(
            candidate["settings"]["tune"],
            _in_words(candidate["settings"]),
            candidate["changed"],
            signed(candidate["estimated_gain"]["points"]),
            f"{signed(candidate['estimated_gain']['low'])} to {signed(candidate['estimated_gain']['high'])}",
            candidate.get("passed_over", False),
        )
        for candidate in job["method"].get("candidates") or []
    ]


def _settings(method: Fields) -> Fields:
    """Return the method's numbers, without what has a table of its own."""
    rows = {name: value for name, value in method.items() if name != "candidates"}
    if isinstance(rows.get("class_prior"), list):
        del rows["class_prior"]
    return {name: _in_words(value) if isinstance(value, dict) else _written(value) for name, value in rows.items()}


def _in_words(settings: dict[str, Any]) -> str:
    used = {name: value for name, value in settings.items() if name != "tune" and value is not None}
    return ", ".join(f"{name} {_written(value)}".replace("_", " ") for name, value in used.items())


def _written(value: Any) -> str:
    return f"{value:.4g}" if _is_number(value) else value if isinstance(value, str) else json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
