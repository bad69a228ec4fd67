"""The paper's text tasks by name; their source is in `text_tasks.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from pouf_core.errors import InvalidInput


@dataclass(frozen=True)
class Task:
    """A template and the label word of each class, and the tokens of its texts that are read at most."""

    template: str
    label_words: Mapping[str, str]
    text_limits: Mapping[str, int] = field(default_factory=dict)


@cache
def tasks() -> Mapping[str, Task]:
    """Every task by its name, such as `sst-2`."""
    text = resources.files("pouf_core.families.language").joinpath("text_tasks.toml").read_text(encoding="utf-8")
    return {name: Task(**values) for name, values in tomllib.loads(text).items()}


def task(name: str) -> Task:
    """One task; case is ignored.

    Raises:
        InvalidInput: `unknown_task`, with the names there are.
    """
    found = tasks().get(name.lower())
    if found is None:
        raise InvalidInput("unknown_task", f"There is no task {name!r}; there are {', '.join(tasks())}.", field="/task")
    return found
