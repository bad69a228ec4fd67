"""A bar for what takes a while, by rich or tqdm, whichever is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol

from pouf_client.errors import InvalidInput


class Shown(Protocol):
    """What a bar is shown of. Where it has them, `step` of `total_steps` and `stage` say how far it is."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def status(self) -> str:
        """Its status."""


Show = Callable[[Shown], None]


@contextmanager
def showing(wanted: bool) -> Iterator[Show]:
    """A function that shows a state in a bar, which lasts for the block; it does nothing where no bar is wanted.

    Raises:
        InvalidInput: neither rich nor tqdm is installed.
    """
    if not wanted:
        yield lambda _: None
    elif find_spec("rich"):
        with _by_rich() as show:
            yield show
    elif find_spec("tqdm"):
        with _by_tqdm() as show:
            yield show
    else:
        raise InvalidInput(
            "progress=True draws a bar with rich or tqdm: pip install tqdm, or give on_progress a function.",
            code="no_progress_bar",
            field="progress",
        )


@contextmanager
def _by_rich() -> Iterator[Show]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("waiting", total=None)

        def show(state: Shown) -> None:
            step, total, stage = _position(state)
            bar.update(task, description=stage, completed=step, total=total)

        yield show


@contextmanager
def _by_tqdm() -> Iterator[Show]:
    from tqdm.auto import tqdm

    with tqdm(desc="waiting") as bar:

        def show(state: Shown) -> None:
            step, total, stage = _position(state)
            bar.total, bar.n = total, step
            bar.set_description(stage)

        yield show


def _position(state: Shown) -> tuple[int, int | None, str]:
    """Step, steps in all if they are known, and what is being done."""
    stage = getattr(state, "stage", None) or state.status
    return getattr(state, "step", 0), getattr(state, "total_steps", None), f"{state.id}: {stage.replace('_', ' ')}"
