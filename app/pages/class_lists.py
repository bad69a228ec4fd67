"""Class names as people write them in a field: one a line, or on one line with commas."""

from typing import Any


def parse_class_list(text: str) -> list[Any]:
    """Return class names as a job takes them; ``name = wording`` says how prompts call a class."""
    lines = text.splitlines() if "\n" in text.strip() else text.split(",")
    return [_class_of(line) for line in lines if line.strip()]


def _class_of(line: str) -> Any:
    name, equals, wording = line.partition(" = ")
    return {"name": name.strip(), "prompt": wording.strip()} if equals and wording.strip() else line.strip()
