"""What the child tells the runner, without the process around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pouf_core
from pouf_core.adaptation.run import AdaptationResult
from pouf_core.contract.progress import Progress
from pouf_core.system import memory
from tests.worker.job_specs import job_spec
from worker.training import child
from worker.training.child import MemoryWatch, StartOver, StopRequest
from worker.training.protocol import ResultMessage, decode, encode

ZERO_SHOT = {"type": "zero-shot", "tune": "none", "max_steps": 0, "class_prior": None, "class_prior_source": "none"}
REASONS = [{"code": "classes_vanished", "message": "2 classes are gone."}]


class Reported:
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.seen: list[Progress] = []

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)


def warning(code: str) -> Progress:
    return Progress(stage="training", step=1, total_steps=4, warning=finding(code, "m"))


def test_a_result_carries_the_verdict_and_the_step_that_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = AdaptationResult(
        path=tmp_path / "artifact",
        method={"type": "pouf", "tune": "prompt", "max_steps": 8},
        metrics=[{"step": 1.0, "loss": 0.5}],
        evaluation=None,
        warnings=[],
        verdict="harmful",
        verdict_reasons=REASONS,
        fallback="zero_shot",
        selected_step=4,
        seconds=1.5,
    )
    monkeypatch.setattr(pouf_core, "adapt", lambda *arguments, **settings: result)
    monkeypatch.setattr(memory, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(child, "limit_host_memory", lambda wanted: None)
    spec = job_spec(tmp_path)
    reporter: Any = Reported()
    message = decode(encode(child.run(spec, reporter, StopRequest(), None)))
    assert isinstance(message, ResultMessage)
    assert (message.verdict, message.verdict_reasons, message.fallback) == ("harmful", REASONS, "zero_shot")
    assert (message.selected_step, message.artifact) == (4, tmp_path / "artifact")


def test_a_method_without_micro_batches_is_passed_on() -> None:
    reporter: Any = Reported()
    progress = Progress(stage="encoding", step=8, total_steps=8, method=ZERO_SHOT)
    MemoryWatch(reporter)(progress)
    assert reporter.seen == [progress]


def test_a_lack_of_memory_starts_over_with_half_the_micro_batch() -> None:
    reporter: Any = Reported()
    watch = MemoryWatch(reporter)
    watch(Progress("encoding", 8, 8, method={"type": "pouf", "micro_batch_size": 32}))
    watch(warning("few_items"))
    with pytest.raises(StartOver) as again:
        watch(warning("micro_batch_reduced"))
    assert again.value.micro_batch_size == 16
    assert len(reporter.seen) == 3
