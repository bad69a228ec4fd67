"""What the child tells the runner, without the process around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pouf_core.contract.findings import finding
from pouf_core.contract.method import ResolvedBaseline
from pouf_core.contract.progress import Progress
from pouf_core.contract.result import AdaptationResult
from tests.pouf_core.training import resolved
from tests.worker.job_specs import job_spec
from worker.training import child
from worker.training.child import MemoryWatch, StartOver, StopRequest
from worker.training.messages import ResultMessage, decode, encode

ZERO_SHOT = ResolvedBaseline(
    type="zero-shot", class_prior=None, class_prior_source="none", threads=1, device="cpu", precision="float32"
)


class Reported:
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.seen: list[Progress] = []

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)


def warning(code: str) -> Progress:
    return Progress(stage="training", step=1, total_steps=4, warning=finding(code, "m"))


def test_a_result_reaches_the_runner_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = AdaptationResult(
        method=resolved("prompt", max_steps=8),
        metrics=[{"step": 1.0, "loss": 0.5}],
        verdict="harmful",
        verdict_reasons=[finding("classes_vanished", "2 classes are gone.")],
        fallback="zero_shot",
        selected_step=4,
        seconds=1.5,
    ).at(tmp_path / "artifact", seconds=2.5)
    monkeypatch.setattr(child, "adapt", lambda *_: result)
    reporter: Any = Reported()
    message = decode(encode(child.run(job_spec(tmp_path), reporter, StopRequest(), None)))
    assert isinstance(message, ResultMessage)
    assert message.artifact == tmp_path / "artifact"
    assert message.result.model_dump() == result.model_dump()


def test_a_method_without_micro_batches_is_passed_on() -> None:
    reporter: Any = Reported()
    progress = Progress(stage="encoding", step=8, total_steps=8, method=ZERO_SHOT)
    MemoryWatch(reporter)(progress)
    assert reporter.seen == [progress]


def test_a_lack_of_memory_starts_over_with_half_the_micro_batch() -> None:
    reporter: Any = Reported()
    watch = MemoryWatch(reporter)
    method = resolved("model").model_copy(update={"micro_batch_size": 32})
    watch(Progress(stage="encoding", step=8, total_steps=8, method=method))
    watch(warning("few_items"))
    with pytest.raises(StartOver) as again:
        watch(warning("micro_batch_reduced"))
    assert again.value.micro_batch_size == 16
    assert len(reporter.seen) == 3
