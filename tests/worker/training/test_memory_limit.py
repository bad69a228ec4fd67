"""Running out of host memory is answered by smaller micro-batches, not by the system's killer."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from pouf_core.contract.method import MethodSpec
from pouf_core.contract.request import AdaptationRequest
from pouf_core.system.memory_limit import free_memory
from worker.training.messages import JobSpec, Message, ProgressMessage, ResultMessage
from worker.training.process import ChildProcess

PICTURES = 64  # one step of model tuning over all of them at once takes about 4 GB


def pictures(directory: Path) -> dict[str, Path]:
    paths = {}
    for index in range(PICTURES):
        image = Image.new("RGB", (64, 64), "white")
        ImageDraw.Draw(image).ellipse((4, 4, 20 + index % 40, 20 + index // 2), fill=(index * 4, 80, 120))
        path = directory / f"{index}.png"
        image.save(path)
        paths[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    return paths


def run_child(directory: Path, memory_bytes: int) -> list[Message]:
    specification = JobSpec(
        job_id="job_memory",
        fence=1,
        pictures=pictures(directory),
        request=AdaptationRequest(
            class_names=["circle", "square"],
            prompt_template="a photo of a {}.",
            base_model="pouf-lite",
            method=MethodSpec(tune="model", max_steps=1, batch_size=PICTURES, selection="last"),
        ),
        device="cpu",
        threads=1,
        memory_bytes=memory_bytes,
        checkpoint_dir=directory / "checkpoints",
        checkpoint_seconds=1000,
        artifact_dir=directory / "artifact",
        evaluation_labels={},
    )
    child = ChildProcess.start(specification, directory / "work", directory / "log")
    messages: list[Message] = []
    try:
        while not child.ended:
            messages.extend(child.read(0.5))
    finally:
        child.close()
    return messages


@pytest.mark.slow  # as much memory and time as a real step takes; test_child.py has the rule
def test_training_goes_on_in_smaller_micro_batches_under_a_memory_limit(tmp_path: Path) -> None:
    messages = run_child(tmp_path, memory_bytes=3_000_000_000)
    reports = [message.progress for message in messages if isinstance(message, ProgressMessage)]
    warnings = [progress.warning.code for progress in reports if progress.warning]
    assert set(warnings) == {"micro_batch_reduced"}
    assert isinstance(messages[-1], ResultMessage)
    assert messages[-1].result.method.micro_batch_size < PICTURES


def test_the_limit_makes_allocations_fail_that_the_system_would_grant() -> None:
    code = (
        "from pouf_core.system.memory_limit import limit_host_memory\n"
        "limit_host_memory(400_000_000)\n"
        "try:\n    bytearray(600_000_000)\nexcept MemoryError:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_free_memory_is_a_positive_number_of_bytes() -> None:
    assert free_memory() > 1_000_000
