"""A template, and jobs that may begin from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import WAIT_SECONDS
from tests.worker.training.warm_start.started import ready, specification_in
from tests.worker.warm_jobs import template
from worker.training.messages import JobSpec
from worker.training.warm_start import WarmStart


@pytest.fixture
def warm() -> WarmStart:
    """The template that all tests of a process share; what harms it is followed by another one."""
    return ready(template())


@pytest.fixture
def specification(tmp_path: Path) -> Callable[..., JobSpec]:
    """Jobs, each in a directory of its own."""

    def make(name: str, **values: Any) -> JobSpec:
        directory = tmp_path / name
        directory.mkdir()
        return specification_in(directory, **values)

    return make


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template may take long to be made, and to answer."""
    monkeypatch.setattr("worker.training.warm_start.PREPARING_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr("worker.training.warm_start.ANSWER_SECONDS", WAIT_SECONDS)
