"""The weights of a job are the same, however its process began."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.waiting import command_of
from tests.worker.training.warm_start.started import (
    LINUX,
    TEMPLATE,
    WEIGHTS,
    messages_of,
    outcome,
    ready,
    specification_in,
    start,
)
from worker.training.messages import ResultMessage
from worker.training.template import BECOME
from worker.training.warm_start import WarmStart


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    """What the job of these tests gives in a process started by itself."""
    return outcome(specification_in(tmp_path_factory.mktemp("alone")), None)


@pytest.fixture
def waiting() -> Iterator[WarmStart]:
    """A template that becomes the one job that it is asked for."""
    warm = WarmStart(BECOME, "pouf-lite")
    yield ready(warm)
    warm.close()


@LINUX
def test_a_copied_process_gives_the_weights_of_one_started_by_itself_whatever_ran_before(
    warm: WarmStart, specification: Any, alone: tuple[bytes, int]
) -> None:
    another, _ = outcome(specification("another", tune="norm", seed=3), warm)
    assert another != alone[0]
    assert outcome(specification("copied"), warm) == alone


@pytest.mark.slow
def test_a_process_that_waited_gives_the_weights_of_one_started_by_itself(
    waiting: WarmStart, specification: Any, wait_for: Any, alone: tuple[bytes, int]
) -> None:
    waited = specification("waited")
    child = start(waited, waiting)
    assert TEMPLATE in command_of(child.pid)
    assert os.getsid(child.pid) == child.pid
    assert isinstance(messages_of(child)[-1], ResultMessage)
    assert (waited.artifact_dir / WEIGHTS).read_bytes() == alone[0]
    wait_for(waiting.is_ready)  # another waits for the next job
