"""Charts as SVG by leather, without scripts or styles of their own: colours are those of the page around them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from xml.etree import ElementTree

import leather
from leather import theme
from markupsafe import Markup

WIDTH, HEIGHT = 640, 260
_MARGIN = 0.04  # of the width
_FONT = "system-ui, sans-serif"
_INK, _QUIET, _LINE, _ACCENT = (f"var(--{name})" for name in ("ink", "quiet", "line", "accent"))
_DASHES = "5 4"
_MORE_DIGITS = re.compile(r"(\.\d\d)\d+")  # of places, which leather gives 25
_WIDE = 0.5  # shares have a mark each tenth up to here, and each quarter beyond

theme.background_color = "none"
theme.margin = _MARGIN
theme.axis_title_color = theme.label_color = theme.legend_color = _QUIET
theme.tick_color = theme.zero_color = _LINE
theme.axis_title_font_family = theme.tick_font_family = theme.legend_font_family = _FONT
theme.axis_title_font_size = theme.tick_font_size = theme.legend_font_size = 13
theme.axis_title_gap = 18

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """What an axis says and how its numbers are written; where it begins and ends, if that is not up to the points."""

    name: str
    written: Callable[[float], str]
    ends: tuple[float, float] | None = None

    @property
    def ticks(self) -> list[float] | None:
        """Places that are marked; None where they are up to the points."""
        if self.ends is None:
            return None
        low, high = self.ends
        steps = 4 if high - low > _WIDE else round(10 * (high - low))
        return [low + (high - low) * step / steps for step in range(steps + 1)]


def share_axis(name: str, low: float = 0.0) -> Axis:
    """Return an axis of shares, from `low`, a number of tenths below 1, to 1."""
    return Axis(name, lambda share: f"{100 * share:.3g} %", (low, 1.0))


def number_axis(name: str) -> Axis:
    """Return an axis of numbers."""
    return Axis(name, lambda value: f"{value:,.4g}")


def columns(title: str, across: str, up: str, bars: Sequence[tuple[str, int]]) -> Markup:
    """Return columns, each with what stands below it."""
    chart = leather.Chart()
    chart.add_columns(list(bars), fill_color=_ACCENT)
    chart.add_x_axis(name=across)
    chart.add_y_scale(0, max((count for _, count in bars), default=0) or 1)
    chart.add_y_axis(tick_formatter=lambda value, *_: f"{value:,.4g}", name=up)
    return _drawn(chart, title)


def curve(
    title: str, across: Axis, up: Axis, points: Sequence[Point], *, dot: Point | None = None, line: float | None = None
) -> Markup:
    """Return a curve.

    Args:
        title: read out in place of it.
        across, up: its axes.
        points: at least one, in order.
        dot: is marked.
        line: where across a dashed line stands.
    """
    chart = leather.Chart()
    chart.add_line(list(points), name=up.name, stroke_color=_ACCENT)
    if dot is not None:
        chart.add_dots([dot], name="chosen", fill_color=_INK, radius=6)
    if line is not None:
        heights = [height for _, height in points]
        ends = [(line, min(heights)), (line, max(heights))]
        chart.add_line(ends, name="kept", stroke_color=_INK, width=1, stroke_dasharray=_DASHES)
    for axis, add_scale, add_axis in (
        (across, chart.add_x_scale, chart.add_x_axis),
        (up, chart.add_y_scale, chart.add_y_axis),
    ):
        if axis.ends is not None:
            add_scale(*axis.ends)
        add_axis(ticks=axis.ticks, tick_formatter=partial(_write, axis), name=axis.name)
    return _drawn(chart, title)


def _write(axis: Axis, value: float, *_: int) -> str:
    return axis.written(value)


def _drawn(chart: leather.Chart, title: str) -> Markup:
    attributes = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "class": "chart", "role": "img", "aria-label": title}
    root = ElementTree.Element("svg", attributes)
    root.append(chart.to_svg_group(WIDTH, HEIGHT))
    for element in root.iter():
        for name, value in element.items():
            element.set(name, _MORE_DIGITS.sub(r"\1", value))
    return Markup(ElementTree.tostring(root, encoding="unicode"))
