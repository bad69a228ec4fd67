"""A template that is late, hangs or is killed costs no job."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.worker.training.warm_start.started import (
    ENDLESS,
    LINUX,
    messages_of,
    start,
    started_by_itself,
    template_of,
)
from worker.shutdown import ShuttingDown
from worker.training.messages import ProgressMessage, ResultMessage
from worker.training.template import FORK
from worker.training.warm_start import WarmStart


@pytest.mark.slow
@LINUX
def test_a_job_waits_for_a_template_that_is_being_made(specification: Any) -> None:
    warm = WarmStart(FORK, None)
    warm.prepare()
    child = start(specification("early"), warm)
    try:
        assert template_of(child)
    finally:
        child.close()
        warm.close()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmStart]:
    """A template that does not get ready."""
    warm = WarmStart(FORK, None)
    monkeypatch.setattr(warm, "_command", [sys.executable, "-c", "import time; time.sleep(3600)"])
    yield warm
    warm.close()


def test_a_job_that_waits_for_a_template_hears_that_it_is_to_stop(slow: WarmStart, specification: Any) -> None:
    def check() -> None:
        raise ShuttingDown

    slow.prepare()
    with pytest.raises(ShuttingDown):
        start(specification("stopped"), slow, check=check)


def test_a_template_that_never_gets_ready_is_not_waited_for_by_every_job(
    slow: WarmStart, specification: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.training.warm_start.PREPARING_SECONDS", 0.0)
    slow.prepare()
    monkeypatch.setattr("worker.training.warm_start.PREPARING_SECONDS", 3600.0)
    child = start(specification("late"), slow)
    assert started_by_itself(child)
    child.close()


@pytest.mark.slow
@LINUX
def test_a_job_whose_template_is_killed_goes_on_and_the_next_one_starts_by_itself(
    warm: WarmStart, specification: Any, wait_for: Any
) -> None:
    first = start(specification("first", steps=ENDLESS), warm)
    template = template_of(first)
    first.close()
    child = start(specification("copied"), warm)
    template.kill()
    assert isinstance(messages_of(child)[-1], ResultMessage)
    following = start(specification("following", steps=ENDLESS), warm)
    wait_for(lambda: started_by_itself(following))
    following.close()
    wait_for(warm.is_ready)
    third = start(specification("third", steps=ENDLESS), warm)
    assert template_of(third).pid != template.pid
    third.close()


@pytest.mark.slow
@LINUX
def test_a_template_that_does_not_answer_costs_no_job(
    warm: WarmStart, specification: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start(specification("first", steps=ENDLESS), warm)
    template = template_of(first)
    first.close()
    template.suspend()
    monkeypatch.setattr("worker.training.warm_start.ANSWER_SECONDS", 0.3)
    second = start(specification("second", steps=ENDLESS), warm)
    wait_for(lambda: started_by_itself(second))
    assert not template.is_running()
    wait_for(lambda: any(isinstance(message, ProgressMessage) for message in second.read(1)))
    second.close()
