"""Attempts at jobs, with real child processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.jobs.schemas import show_job
from app.web.report import ReportParts, render_report
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import PartialResult
from pouf_core.predictions.stored import open_predictions
from store.tables import AdaptedModel, Alias, Job, JobEvent, JobMetric
from tests.waiting import WAIT_SECONDS
from tests.worker.conftest import DATA_WARNING
from tests.worker.warm_jobs import run_job, template
from worker.process_context import WorkerContext
from worker.training.child import INTERNAL_ERROR
from worker.training.messages import JobSpec, Message
from worker.training.process import ChildProcess
from worker.training.runner import earlier_threads

CLOSED_FORM = {"type": "closed-form", "tune": "none", "settings": None, "candidates": [], "item_count": 1} | {
    "threads": 2,
    "device": "cpu",
    "precision": "float32",
}


def test_a_job_runs_to_its_one_model(undisturbed: tuple[WorkerContext, str]) -> None:
    context, job_id = undisturbed
    with context.database.read() as session:
        job = session.get_one(Job, job_id)
        model = session.scalars(select(AdaptedModel)).one()
        steps = session.scalars(select(JobMetric.step).where(JobMetric.job_id == job_id).order_by(JobMetric.step)).all()
        kinds = session.scalars(select(JobEvent.type).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)).all()
        assert session.get_one(Alias, ("local", "best")).model_id == model.id

    assert (job.status, job.attempt, job.lost_attempts) == ("succeeded", 1, 0), job.error_message
    assert (job.step, job.total_steps, job.latest_metrics["step"]) == (24, 24, 24)
    assert (job.result.method.tune, job.result.evaluation.n, job.lease_owner) == ("last_n", 8, None)
    assert DATA_WARNING in [warning.model_dump() for warning in job.result.warnings]
    assert steps == list(range(1, 25))
    stages = [entry["stage"] for entry in job.status_transitions]
    assert stages == [None, "loading_base", "encoding", "encoding_views", "training", "evaluating", "exporting", None]
    assert kinds[:2] == ["job.queued", "job.running"]
    assert kinds[-1] == "job.succeeded"
    assert {"job.method", "job.progress", "job.stage", "job.checkpoint"} <= set(kinds)

    assert (model.id, model.job_id, model.name, model.meta) == (job.model_id, job_id, "shapes", {"team": "a"})
    artifact = context.storage.local_directory(model.storage_key)
    assert model.size_bytes == sum(file.stat().st_size for file in artifact.iterdir())
    assert (artifact / "SHA256SUMS").exists()
    manifest = json.loads((artifact / "pouf.json").read_text())
    for key in ("verdict", "verdict_reasons", "fallback", "selected_step", "warnings"):
        assert job.result == model.result
        assert manifest[key] == job.result.model_dump(mode="json")[key]
    assert [path.name for path in artifact.parent.iterdir()] == [model.id]
    predictions = open_predictions(context.storage.local_directory(job.predictions_key))
    assert (len(predictions), predictions.header.variant) == (8, job.result.fallback or "adapted")
    for kind in ("checkpoints", "work"):
        assert list((context.settings.data_dir / kind).iterdir()) == []


def test_a_job_of_no_steps_publishes_its_model_without_metrics(
    context: WorkerContext, add_ready_dataset: Any, add_job: Any, get: Any, database: Any
) -> None:
    job_id = add_job(add_ready_dataset(2), {"tune": "prompt", "max_steps": 0})
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.step, job.total_steps) == ("succeeded", 0, 0), job.error_message
    assert (job.result.selected_step, job.latest_metrics, job.result.evaluation.n) == (0, None, 2)
    assert get(AdaptedModel, job.model_id).result.selected_step == 0
    with database.read() as session:
        assert session.scalars(select(JobMetric).where(JobMetric.job_id == job_id)).all() == []


def test_a_job_whose_dataset_is_not_ready_waits(
    context: WorkerContext, add_ready_dataset: Any, add_job: Any, get: Any
) -> None:
    job_id = add_job(add_ready_dataset(0, status="ingesting"))
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.stage, job.attempt) == ("queued", "waiting_for_dataset", 0)


def test_a_job_whose_dataset_failed_fails(
    context: WorkerContext, add_ready_dataset: Any, add_job: Any, get: Any
) -> None:
    job_id = add_job(add_ready_dataset(0, status="failed"))
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code) == ("failed", "dataset_failed")


def test_an_unexpected_error_of_the_adaptation_is_told_in_the_log_alone(
    tmp_path: Path, make_picture: Callable[..., bytes]
) -> None:
    picture, no_directory, log = tmp_path / "picture.png", tmp_path / "file", tmp_path / "log"
    picture.write_bytes(make_picture())
    no_directory.write_text("in the way of the artifact")
    spec = JobSpec(
        job_id="job_1",
        fence=1,
        pictures={hashlib.sha256(picture.read_bytes()).hexdigest(): picture},
        request=AdaptationRequest.of(
            class_names=["red circle", "blue square"], method={"tune": "head", "max_steps": 2, "selection": "last"}
        ),
        device="cpu",
        threads=1,
        checkpoint_dir=tmp_path / "checkpoints",
        checkpoint_seconds=0,
        artifact_dir=no_directory / "artifact",
        evaluation_labels={},
    )
    child = ChildProcess.start(spec, tmp_path / "work", log, template())
    messages: list[Message] = []
    while not child.ended:
        messages += child.read(1)
    child.wait(WAIT_SECONDS)
    assert child.close() == 0
    assert messages[-1] == INTERNAL_ERROR
    assert "FileExistsError" in log.read_text()


@pytest.mark.parametrize("kind", ["zero-shot", "prior-matching"])
def test_a_baseline_runs_to_its_model_without_training(
    kind: str, context: WorkerContext, add_ready_dataset: Any, add_job: Any, get: Any, database: Any
) -> None:
    job_id = add_job(add_ready_dataset(), {"type": kind})
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.step, job.total_steps) == ("succeeded", 0, 0), job.error_message
    assert (job.result.method.type, job.result.method.tune, job.result.selected_step) == (kind, "none", 0)
    assert (job.latest_metrics, job.result.evaluation.n) == (None, 8)
    assert "training" not in [entry["stage"] for entry in job.status_transitions]
    if kind == "zero-shot":
        assert job.result.evaluation.adapted_accuracy == job.result.evaluation.zero_shot_accuracy
    model = get(AdaptedModel, job.model_id)
    assert (model.result.method.tune, model.result.method.type) == ("none", kind)
    with database.read() as session:
        assert session.scalars(select(JobMetric).where(JobMetric.job_id == job_id)).all() == []
    shown = show_job(job, None).model_dump(mode="json")
    assert shown["progress"] == {"step": 0, "total_steps": 0, "fraction": 1.0, "eta_at": None}
    assert "by step" not in render_report(shown, ReportParts())  # no chart of training


def test_a_job_without_a_method_goes_on_to_training_where_no_closed_form_is_sure_to_gain(
    context: WorkerContext, add_ready_dataset: Any, add_job: Any, get: Any
) -> None:
    job_id = add_job(add_ready_dataset(), {})
    assert show_job(get(Job, job_id), None).method["tune"] == "auto"
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.result.method.type, job.result.method.tune) == ("succeeded", "pouf", "prototypes")
    stages = [entry["stage"] for entry in job.status_transitions]
    assert stages == [None, "loading_base", "encoding", "encoding_views", "training", "evaluating", "exporting", None]
    assert job.step == job.total_steps == job.result.method.max_steps


@pytest.mark.parametrize(
    ("method", "threads"),
    [
        (None, None),
        ({"type": "zero-shot", "class_prior": None, "class_prior_source": "none", "device": "cpu"}, None),
        ({"type": "pouf", "threads": 3, "of_an_older_version": 1}, 3),
        (CLOSED_FORM, 2),
    ],
)
def test_a_resumed_job_keeps_its_threads_whatever_version_resolved_its_method(method, threads) -> None:
    assert earlier_threads(Job(result=PartialResult(method=method))) == threads
