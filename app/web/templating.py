"""Templates: what pages and reports show alike. Whatever users named passes through Jinja's autoescape."""

import re
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from pouf_core.contract.counts import counted

SHARED = Path(__file__).parent / "templates"
STATUS_WORDS = {
    "uploading": "being uploaded",
    "ingesting": "being read",
    "pausing": "about to pause",
    "cancelling": "about to stop",
    "succeeded": "finished",
}

_TERM = re.compile("`([^`]+)`")


def environment(*folders: Path) -> Environment:
    """Return what renders the templates of these folders, and those that are shared."""
    made = Environment(
        loader=FileSystemLoader([*folders, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "basename": _basename,
        "counted": counted,
        "number": _number,
        "percent": percent,
        "signed": signed,
        "size": _size,
        "status": _status,
        "time": _time,
        "worded": worded,
    }
    return made


def percent(share: float | None) -> str:
    """Return the share as a percentage that is not broken across lines; nothing is minus zero."""
    return "–" if share is None else f"{round(100 * share, 1) + 0.0:.1f}\u00a0%"


def signed(points: float) -> str:
    """Return the number with its sign."""
    return f"{points:+.1f}".replace("-", "−")


def worded(message: str) -> Markup:
    """Return a message of the API for a page: what stands between backticks there looks like code here."""
    return Markup(_TERM.sub(r"<code>\1</code>", str(escape(message))))


def _number(value: int) -> str:
    return f"{value:,}"


def _size(count: int) -> str:
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} GB"


def _time(moment: datetime | str) -> str:
    if isinstance(moment, str):  # as documents have it
        moment = datetime.fromisoformat(moment)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _status(status: str) -> str:
    return STATUS_WORDS.get(status, status)


def _basename(name: str) -> str:
    return name.rpartition("/")[2] or name
