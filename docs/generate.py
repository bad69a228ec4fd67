"""Write the part of configuration.md that comes from the code: run `make docs`, commit the result."""

from pathlib import Path

from app.settings import settings_table

FILE = Path(__file__).parent / "configuration.md"
START, END = "<!-- settings: written by `make docs` -->\n", "<!-- end of settings -->"


def configuration(text: str) -> str:
    """The page with its table as the code has it now."""
    before, rest = text.split(START)
    _, after = rest.split(END)
    return f"{before}{START}{settings_table()}{END}{after}"


if __name__ == "__main__":
    FILE.write_text(configuration(FILE.read_text(encoding="utf-8")), encoding="utf-8")
