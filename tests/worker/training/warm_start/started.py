"""Jobs over a few pictures, their processes, and the templates that these begin from."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.request import AdaptationRequest
from store.outages import never
from tests.row_fixtures import CLASSES, draw_picture
from tests.row_fixtures import ENDLESS as ENDLESS_METHOD
from tests.waiting import WAIT_SECONDS, command_of, wait_for
from worker.training.messages import JobSpec, Message, ResultMessage
from worker.training.process import ChildProcess
from worker.training.warm_start import WarmStart

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux")
TEMPLATE = "worker.training.template"
WEIGHTS = "adapter.safetensors"
ENDLESS = ENDLESS_METHOD["max_steps"]


def ready(warm: WarmStart) -> WarmStart:
    warm.prepare()
    wait_for(warm.is_ready)
    return warm


def specification_in(
    directory: Path, tune: str = "head", seed: int = 0, memory_bytes: int | None = None, steps: int = 2
) -> JobSpec:
    """A job over a few pictures, whose files lie in an empty directory; its threads are for PyTorch to choose."""
    pictures = {}
    for number in range(4):
        path = directory / f"{number}.png"
        path.write_bytes(draw_picture(number))
        pictures[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    method = {"tune": tune, "max_steps": steps, "batch_size": 4, "selection": "last"}
    return JobSpec(
        job_id="job_1",
        fence=1,
        pictures=pictures,
        request=AdaptationRequest.of(class_names=CLASSES, method=method, seed=seed),
        device="cpu",
        threads=None,
        memory_bytes=memory_bytes,
        checkpoint_dir=directory / "checkpoints",
        checkpoint_seconds=1000,
        artifact_dir=directory / "artifact",
        evaluation_labels={},
    )


def start(specification: JobSpec, warm: WarmStart | None, check: Callable[[], None] = never) -> ChildProcess:
    folder = specification.artifact_dir.parent
    return ChildProcess.start(specification, folder / "work", folder / "log", warm, check=check)


def messages_of(child: ChildProcess) -> list[Message]:
    """All that a child reports; it is let go of then."""
    messages: list[Message] = []
    while not child.ended:
        messages += child.read(1)
    child.wait(WAIT_SECONDS)
    child.close()
    return messages


def outcome(specification: JobSpec, warm: WarmStart | None) -> tuple[bytes, int]:
    """The weights that a job gives, and the threads that it had."""
    messages = messages_of(start(specification, warm))
    assert isinstance(messages[-1], ResultMessage), (specification.artifact_dir.parent / "log").read_text()
    method = messages[-1].result.method
    assert isinstance(method, ResolvedMethod)
    return (specification.artifact_dir / WEIGHTS).read_bytes(), method.threads


def started_by_itself(child: ChildProcess) -> bool:
    """Whether no template had part in it."""
    return "worker.training.child" in command_of(child.pid)


def template_of(child: ChildProcess) -> psutil.Process:
    """The template that a child is a copy of."""
    parent = psutil.Process(child.pid).parent()
    assert parent is not None
    assert TEMPLATE in command_of(parent.pid)
    return parent
