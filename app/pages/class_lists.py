"""Class names and templates as people write them in a field."""

from typing import Any


def parse_class_list(text: str) -> list[Any]:
    """Return class names, one a line or on one line with commas, as a job takes them.

    ``name = wording`` says how prompts call a class.
    """
    lines = text.splitlines() if "\n" in text.strip() else text.split(",")
    return [_class_of(line) for line in lines if line.strip()]


def parse_templates(text: str) -> list[str] | None:
    """Return templates, one a line; None where there are none."""
    return [line.strip() for line in text.splitlines() if line.strip()] or None


def _class_of(line: str) -> Any:
    name, equals, wording = line.partition(" = ")
    return {"name": name.strip(), "prompt": wording.strip()} if equals and wording.strip() else line.strip()
