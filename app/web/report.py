"""The report on a job: one page that needs nothing from anywhere else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.web.answers import answer_chart
from app.web.predictions import PredictionSummary

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
WIDTH, HEIGHT = 640, 160
MAX_POINTS = 400
MAX_OPEN_ROWS = 30
_NOT_PLOTTED = {"step", "created_at"}
_PRIOR_SOURCES = {
    "given": "given with the job",
    "estimated": "estimated from the unlabelled data",
    "uniform": "every class is expected equally often",
}


@dataclass(frozen=True)
class Chart:
    """One number by step: `path` and `kept`, the place of the kept step, are in the coordinates of the picture."""

    name: str
    path: str
    low: float
    high: float
    last: float
    steps: int
    kept: str | None


@dataclass(frozen=True)
class ClassPrior:
    """The expected share of each class, in the classes' order, and where it comes from."""

    source: str
    rows: list[tuple[str, float]]


@dataclass(frozen=True)
class TriedForm:
    """A closed form that was tried, with its numbers and what is estimated of it in words."""

    tune: str
    settings: str
    changed: float
    gain: str
    interval: str


def render_report(
    job: dict[str, Any],
    metrics: Sequence[dict[str, Any]],
    predictions: PredictionSummary | None = None,
    audits: Sequence[dict[str, Any]] = (),
) -> str:
    """Return the page for the job's document, its per-step numbers, the predictions of its items, if any, and its
    audits, newest first.
    """
    names = sorted({name for row in metrics for name, value in row.items() if _is_number(value)} - _NOT_PLOTTED)
    charts = [chart for name in names if (chart := _chart(name, metrics, job["selected_step"])) is not None]
    prior = _prior(job)
    template = _ENVIRONMENT.get_template("report.html.jinja")
    return template.render(
        job=job,
        audits=audits,
        steps=metrics[-1]["step"] if metrics else 0,
        charts=charts,
        prior=prior,
        gain=gain_in_words(job["estimated_gain"]),
        tried=_tried_forms(job),
        predictions=predictions,
        answers=answer_chart(job) if job["model_id"] else None,
        method=_method_rows(job["method"], with_prior=prior is None),
        max_open_rows=MAX_OPEN_ROWS,
        width=WIDTH,
        height=HEIGHT,
        percent=_percent,
        signed=_signed,
    )


def _chart(name: str, metrics: Sequence[dict[str, Any]], kept_step: int | None) -> Chart | None:
    points = [(row["step"], row[name]) for row in metrics if _is_number(row.get(name))]
    if len(points) < 2:
        return None
    stride = math.ceil(len(points) / MAX_POINTS)
    shown = points[::stride]
    if shown[-1] != points[-1]:
        shown.append(points[-1])
    (first, last), values = (shown[0][0], shown[-1][0]), [value for _, value in shown]
    low, high = min(values), max(values)
    across = (last - first) or 1
    up = (high - low) or 1
    path = " ".join(
        f"{WIDTH * (step - first) / across:.1f},{HEIGHT * (1 - (value - low) / up):.1f}" for step, value in shown
    )
    kept = None if kept_step is None else f"{WIDTH * min(max((kept_step - first) / across, 0), 1):.1f}"
    return Chart(name.replace("_", " "), path, low, high, values[-1], last, kept)


def _prior(job: dict[str, Any]) -> ClassPrior | None:
    """Return the class prior; None while it is unknown or where none is used."""
    shares = job["method"].get("class_prior")
    if not isinstance(shares, list):
        return None
    names = [item["name"] if isinstance(item, dict) else item for item in job["class_names"]]
    source = job["method"].get("class_prior_source", "given")
    return ClassPrior(_PRIOR_SOURCES.get(source, source), list(zip(names, shares, strict=True)))


def gain_in_words(gain: dict[str, float] | None) -> str | None:
    """Return the estimated gain and its interval in a sentence; None where it was not estimated."""
    if gain is None:
        return None
    points, low, high = (_signed(gain[name]) for name in ("points", "low", "high"))
    return (
        f"Over zero-shot {points} percentage points of accuracy are estimated, without labels: "
        f"with a probability of 90 % the true gain lies between {low} and {high}."
    )


def _tried_forms(job: dict[str, Any]) -> list[TriedForm]:
    """Return the closed forms that were tried, best first."""
    return [
        TriedForm(
            candidate["settings"]["tune"],
            _settings_in_words(candidate["settings"]),
            candidate["changed"],
            _signed(candidate["estimated_gain"]["points"]),
            f"{_signed(candidate['estimated_gain']['low'])} to {_signed(candidate['estimated_gain']['high'])}",
        )
        for candidate in job["method"].get("candidates") or []
    ]


def _settings_in_words(settings: dict[str, Any]) -> str:
    used = {name: value for name, value in settings.items() if name != "tune" and value is not None}
    shown = {name: f"{value:.4g}" if _is_number(value) else str(value) for name, value in used.items()}
    return ", ".join(f"{name} {value}".replace("_", " ") for name, value in shown.items())


def _method_rows(method: dict[str, Any], *, with_prior: bool) -> dict[str, Any]:
    """Return what the table of the method shows: not what the page shows elsewhere, and no nested document."""
    elsewhere = {"candidates"} if with_prior else {"candidates", "class_prior"}
    rows = {name: value for name, value in method.items() if name not in elsewhere}
    if isinstance(rows.get("settings"), dict):
        rows["settings"] = _settings_in_words(rows["settings"])
    return rows


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
