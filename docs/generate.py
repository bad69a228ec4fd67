"""Write the parts of the pages that come from the code: run `make docs`, commit the result."""

from collections.abc import Callable
from pathlib import Path

from app.settings import settings_table
from pouf_core.presets import presets_table

DOCS = Path(__file__).parent
FILE = DOCS / "configuration.md"
METHOD = DOCS / "method.md"


def configuration(text: str) -> str:
    """The page with its table of settings as the code has it now."""
    return _between(text, "settings", settings_table)


def method(text: str) -> str:
    """The page with its table of presets as the code has it now."""
    return _between(text, "presets", presets_table)


def _between(text: str, name: str, table: Callable[[], str]) -> str:
    start, end = f"<!-- {name}: written by `make docs` -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(start)
    _, after = rest.split(end)
    return f"{before}{start}{table()}{end}{after}"


if __name__ == "__main__":
    FILE.write_text(configuration(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    METHOD.write_text(method(METHOD.read_text(encoding="utf-8")), encoding="utf-8")
