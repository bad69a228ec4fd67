"""Publishing: one model a job, and nothing left of attempts that lost their lease."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from pouf_core.contract.findings import finding
from pouf_core.contract.method import ResolvedBaseline
from pouf_core.contract.result import AdaptationResult, PartialResult
from store.clock import utcnow
from store.leases import Lease, LeaseLost, claim_job
from store.publication import publish_model, remove_unpublished
from store.scope import Scope
from store.storage_keys import model_key, predictions_key
from store.tables import AdaptedModel, Alias, Job, JobEvent
from store.transitions import TransitionNotAllowed, append_event, lock_job, transition
from store.usage import stored_bytes
from tests.pouf_core.training import resolved

RESULT = AdaptationResult(
    method=resolved("head", max_steps=6, selection="last"), verdict="uncertain", selected_step=6, seconds=1.0
)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    directory = tmp_path / "artifact"
    directory.mkdir()
    (directory / "pouf.json").write_text("{}")
    return directory


@pytest.fixture
def claimed(database: Any, add_ready_dataset: Any, add_job: Any) -> Any:
    def claim(**columns: Any) -> Lease[Job]:
        job_id = add_job(add_ready_dataset(0), **columns)
        with database.write() as session:
            lease = claim_job(session, job_id, "one", utcnow(), 60)
            transition(session, lock_job(session, job_id), "running", "exporting")
        return lease

    return claim


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    directory = tmp_path / "made-predictions"
    directory.mkdir()
    (directory / "predictions.npy").write_bytes(b"12345")
    return directory


def stored_models(storage: Any, folder: str = "models") -> list[str]:
    return sorted(path.name for path in (Path(storage.url.removeprefix("file://")) / folder).iterdir())


def models(database: Any) -> list[AdaptedModel]:
    with database.read() as session:
        return list(session.scalars(select(AdaptedModel)).all())


def test_a_job_is_published_once(database: Any, storage: Any, claimed: Any, artifact: Path, get: Any) -> None:
    lease = claimed()
    model_id = publish_model(database, storage, lease, artifact, RESULT)
    with pytest.raises(LeaseLost):
        publish_model(database, storage, lease, artifact, RESULT)
    assert [model.id for model in models(database)] == stored_models(storage) == [model_id]
    job = get(Job, lease.row_id)
    assert (job.status, job.model_id, job.lease_owner) == ("succeeded", model_id, None)


def test_job_and_model_say_whether_adaptation_helped_and_what_is_served(
    database: Any, storage: Any, claimed: Any, artifact: Path, get: Any
) -> None:
    reasons = [finding("agreement_fell", "Two views agree less than before.")]
    verdict = {"verdict": "harmful", "verdict_reasons": reasons, "fallback": "zero_shot"}
    result = RESULT.model_copy(update={**verdict, "selected_step": 4, "warnings": reasons})
    lease = claimed()
    model_id = publish_model(database, storage, lease, artifact, result)
    for row in (get(Job, lease.row_id), get(AdaptedModel, model_id)):
        assert row.result == PartialResult(**result.as_partial())
    with database.read() as session:
        event = session.scalars(select(JobEvent).where(JobEvent.type == "job.succeeded")).one()
    assert event.data == {"stage": None, "model_id": model_id, "verdict": "harmful", "fallback": "zero_shot"}


def test_a_method_without_steps_is_published_at_step_0(
    database: Any, storage: Any, claimed: Any, artifact: Path, get: Any
) -> None:
    method = ResolvedBaseline(
        type="zero-shot", class_prior=None, class_prior_source="none", threads=1, device="cpu", precision="float32"
    )
    lease = claimed()
    with database.write() as session:
        job = lock_job(session, lease.row_id)
        job.step, job.total_steps = 1, 1  # what the last stage counted
    model_id = publish_model(
        database, storage, lease, artifact, RESULT.model_copy(update={"method": method, "selected_step": 0})
    )
    job, model = get(Job, lease.row_id), get(AdaptedModel, model_id)
    assert (job.step, job.total_steps, job.result.selected_step) == (0, 0, 0)
    assert (model.result.method, model.result.selected_step) == (method, 0)


def test_predictions_are_published_with_the_model_and_count_for_the_owner(
    database: Any, storage: Any, claimed: Any, artifact: Path, predictions: Path, get: Any
) -> None:
    lease = claimed()
    with database.read() as session:
        before = stored_bytes(Scope(session, "local"))
    model_id = publish_model(database, storage, lease, artifact, RESULT, predictions)
    job = get(Job, lease.row_id)
    with storage.open(f"{job.predictions_key}/predictions.npy") as stream:
        assert stream.read() == b"12345"
    with database.read() as session:
        assert stored_bytes(Scope(session, "local")) == before + 2 + 5
    remove_unpublished(database, storage, lease.row_id)
    assert stored_models(storage, "predictions") == [model_id]


def test_an_attempt_that_lost_its_lease_while_copying_leaves_nothing(
    database: Any,
    storage: Any,
    claimed: Any,
    artifact: Path,
    predictions: Path,
    monkeypatch: pytest.MonkeyPatch,
    get: Any,
) -> None:
    lease = claimed()
    put_directory = storage.put_directory

    def lose_meanwhile(key: str, path: Path) -> None:
        put_directory(key, path)
        with database.write() as session:
            lock_job(session, lease.row_id).fence += 1

    monkeypatch.setattr(storage, "put_directory", lose_meanwhile)
    with pytest.raises(LeaseLost):
        publish_model(database, storage, lease, artifact, RESULT, predictions)
    assert models(database) == stored_models(storage) == stored_models(storage, "predictions") == []
    assert get(Job, lease.row_id).status == "running"


def test_a_cancelled_job_publishes_nothing(database: Any, storage: Any, claimed: Any, artifact: Path) -> None:
    lease = claimed(alias="best")
    with database.write() as session:
        transition(session, lock_job(session, lease.row_id), "cancelling", "exporting")
    with pytest.raises(TransitionNotAllowed):
        publish_model(database, storage, lease, artifact, RESULT)
    assert models(database) == stored_models(storage) == []


def test_an_alias_moves_to_the_newest_model(database: Any, storage: Any, claimed: Any, artifact: Path) -> None:
    for _ in range(2):
        newest = publish_model(database, storage, claimed(alias="best"), artifact, RESULT)
    with database.read() as session:
        assert session.get_one(Alias, ("local", "best")).model_id == newest


def test_what_a_killed_publisher_stored_is_removed_and_the_published_model_kept(
    database: Any, storage: Any, claimed: Any, artifact: Path
) -> None:
    lease = claimed()
    with database.write() as session:  # what a publisher does before it is killed
        append_event(session, lock_job(session, lease.row_id), "job.publishing", {"model_id": "mdl_orphan"})
    for key in (model_key("mdl_orphan"), predictions_key("mdl_orphan")):
        storage.put_directory(key, artifact)
    model_id = publish_model(database, storage, lease, artifact, RESULT)
    assert len(stored_models(storage)) == 2
    remove_unpublished(database, storage, lease.row_id)
    assert stored_models(storage) == [model_id]
    assert stored_models(storage, "predictions") == []
