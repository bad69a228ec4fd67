"""The report on a job: one page that needs nothing from anywhere else."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
WIDTH, HEIGHT = 640, 160
MAX_POINTS = 400
_NOT_PLOTTED = {"step", "created_at"}


def render_report(job: dict[str, Any], metrics: Sequence[dict[str, Any]]) -> str:
    """Return the page for the job's document and its per-step numbers."""
    names = sorted({name for row in metrics for name, value in row.items() if _is_number(value)} - _NOT_PLOTTED)
    charts = [chart for name in names if (chart := _chart(name, metrics)) is not None]
    template = _ENVIRONMENT.get_template("report.html.jinja")
    steps = metrics[-1]["step"] if metrics else 0
    return template.render(job=job, steps=steps, charts=charts, width=WIDTH, height=HEIGHT, percent=_percent)


def _chart(name: str, metrics: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
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
    return {"name": name.replace("_", " "), "path": path, "low": low, "high": high, "last": values[-1], "steps": last}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
