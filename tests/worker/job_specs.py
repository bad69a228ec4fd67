"""What a child is told, for tests that only look at some of it."""

from __future__ import annotations

from pathlib import Path

from pouf_core.contract.request import AdaptationRequest
from worker.training.messages import JobSpec


def job_spec(folder: Path) -> JobSpec:
    """A job without items, whose checkpoints and artifact go to `folder`."""
    return JobSpec(
        job_id="job_1",
        fence=1,
        request=AdaptationRequest(class_names=["bird", "boat"]),
        device="cpu",
        threads=1,
        checkpoint_dir=folder,
        checkpoint_seconds=1,
        artifact_dir=folder,
        evaluation_labels={},
    )
