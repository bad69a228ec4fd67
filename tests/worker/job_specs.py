"""What a child is told, for tests that only look at some of it."""

from __future__ import annotations

from pathlib import Path

from worker.training.protocol import JobSpec


def job_spec(folder: Path) -> JobSpec:
    """A job without items, whose checkpoints and artifact go to `folder`."""
    return JobSpec(
        job_id="job_1",
        fence=1,
        class_names=["bird", "boat"],
        prompt_template=None,
        base_model="pouf-lite",
        method={},
        seed=0,
        device="cpu",
        threads=1,
        checkpoint_dir=folder,
        checkpoint_seconds=1,
        artifact_dir=folder,
        evaluation_labels={},
    )
