"""The report on a job: one page that needs nothing from anywhere else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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


def render_report(job: dict[str, Any], metrics: Sequence[dict[str, Any]]) -> str:
    """Return the page for the job's document and its per-step numbers."""
    names = sorted({name for row in metrics for name, value in row.items() if _is_number(value)} - _NOT_PLOTTED)
    charts = [chart for name in names if (chart := _chart(name, metrics, job["selected_step"])) is not None]
    template = _ENVIRONMENT.get_template("report.html.jinja")
    return template.render(
        job=job,
        steps=metrics[-1]["step"] if metrics else 0,
        charts=charts,
        prior=_prior(job),
        max_open_rows=MAX_OPEN_ROWS,
        width=WIDTH,
        height=HEIGHT,
        percent=_percent,
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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
