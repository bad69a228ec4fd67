"""A job is begun only where it may fit into memory; else it waits for another worker, or fails in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import JSON, literal, update

from pouf_core.contract.request import AdaptationRequest
from store.database import Database
from store.heartbeats import FORGOTTEN_AFTER, LOST_AFTER, beat
from store.settings import Settings
from store.tables import Heartbeat, Job
from worker.training import memory_check
from worker.training.memory_check import SMALLEST_BYTES, Room, least_bytes, room_for_job
from worker.training.queueing import begin
from worker.training.runner import run_job

GIB = 2**30
SMALL = Room(most=GIB // 2, now=GIB // 2)
LARGE = Room(most=64 * GIB, now=64 * GIB)


@pytest.fixture
def embeddings(rows: Any) -> Callable[..., str]:
    """A queued job over so many embeddings of 512 numbers, of which 600,000 take more than 3 GiB."""

    def add(count: int = 600_000, owner: str = "local") -> str:
        dataset_id = rows.dataset(owner=owner, modality="embedding", item_count=count, embedding_width=512)
        job_id: str = rows.job(dataset_id=dataset_id, owner=owner)
        return job_id

    return add


@pytest.fixture
def see(database: Database) -> Callable[..., None]:
    """A train worker is seen, with so much memory for a job."""

    def see(name: str, most: int | None, kind: str = "train") -> None:
        with database.write() as session:
            beat(session, name, kind, most)

    return see


def begun(database: Database, message: str, room: Room) -> str | None:
    lease = begin(database, message, "worker", 60, room)
    return None if lease is None else lease.row_id


def test_a_job_too_large_for_every_worker_fails_and_says_what_it_takes(
    embeddings: Any, database: Database, see: Any, get: Any
) -> None:
    see("train@small", SMALL.most)
    job_id = embeddings()
    assert begun(database, job_id, SMALL) is None
    job = get(Job, job_id)
    assert (job.status, job.error_code, job.attempt) == ("failed", "job_needs_more_memory", 0)
    assert "3.5 GiB" in job.error_message
    assert "0.5 GiB" in job.error_message


@pytest.mark.parametrize("most", [LARGE.most, None])
def test_a_job_waits_for_a_worker_that_may_have_enough(
    embeddings: Any, database: Database, see: Any, get: Any, most: int | None
) -> None:
    see("train@large", most, "predict,train")
    job_id = embeddings()
    assert begun(database, job_id, SMALL) is None
    job = get(Job, job_id)
    assert (job.status, job.stage, job.attempt) == ("queued", "waiting_for_memory", 0)
    assert begun(database, job_id, LARGE) == job_id
    assert get(Job, job_id).stage == "loading_base"


def test_a_job_waits_until_memory_is_free_again_and_the_log_says_so_once(
    embeddings: Any, database: Database, get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    # not by caplog: what a thread of another test makes of the process's logging is no matter here
    monkeypatch.setattr(memory_check.logger, "warning", lambda message, *values: told.append(message % values))
    job_id = embeddings()
    for _ in range(3):
        assert begun(database, job_id, Room(LARGE.most, now=GIB)) is None
    assert get(Job, job_id).stage == "waiting_for_memory"
    assert [line.partition(":")[0] for line in told] == [f"Job {job_id} waits"]
    assert begun(database, job_id, LARGE) == job_id


@pytest.mark.parametrize("kind", ["ingest", "train"])
def test_neither_forgotten_workers_nor_others_than_those_that_train_are_waited_for(
    embeddings: Any, database: Database, see: Any, get: Any, kind: str
) -> None:
    see("other@large", LARGE.most, kind)
    if kind == "train":
        with database.write() as session:
            session.get_one(Heartbeat, "other@large").seen_at -= 2 * FORGOTTEN_AFTER
    job_id = embeddings()
    assert begun(database, job_id, SMALL) is None
    assert get(Job, job_id).status == "failed"


def test_a_job_waits_for_a_larger_worker_that_was_not_heard_of_for_minutes(
    embeddings: Any, database: Database, see: Any, get: Any
) -> None:
    see("train@large", LARGE.most)
    with database.write() as session:
        session.get_one(Heartbeat, "train@large").seen_at -= 10 * LOST_AFTER
    job_id = embeddings()
    assert begun(database, job_id, SMALL) is None
    assert (get(Job, job_id).status, get(Job, job_id).stage) == ("queued", "waiting_for_memory")


def test_a_job_that_waits_for_memory_lets_others_go_first(embeddings: Any, database: Database, see: Any) -> None:
    see("train@large", LARGE.most)
    large = embeddings(owner="one")
    small, last = embeddings(8, owner="two"), embeddings(8, owner="three")
    assert [begun(database, message, SMALL) for message in (large, last, small)] == [None, small, last]


def test_a_job_that_waited_for_memory_is_begun_when_its_owners_turn_has_come(
    embeddings: Any, database: Database, see: Any
) -> None:
    see("train@large", LARGE.most)
    large = embeddings(owner="one")
    running, waiting = embeddings(8, owner="two"), embeddings(8, owner="two")
    assert [begun(database, message, SMALL) for message in (large, running)] == [None, running]
    assert [begun(database, message, LARGE) for message in (large, waiting)] == [large, waiting]


def test_a_request_of_which_only_parts_can_be_read_is_not_estimated(
    embeddings: Any, database: Database, get: Any
) -> None:
    job_id = embeddings()
    with database.write() as session:
        session.execute(update(Job.__table__).values(request=literal({"class_names": 5}, JSON)))
    assert begun(database, job_id, SMALL) is None
    assert get(Job, job_id).error_code == "stored_document_unreadable"


@pytest.mark.parametrize(("free_gib", "status"), [(60, "running"), (1, "queued")])
def test_the_estimate_is_asked_before_a_worker_begins(
    embeddings: Any, context: Any, get: Any, monkeypatch: pytest.MonkeyPatch, free_gib: int, status: str
) -> None:
    monkeypatch.setattr(memory_check, "all_memory", lambda: 64 * GIB)
    monkeypatch.setattr(memory_check, "free_memory", lambda: free_gib * GIB)
    monkeypatch.setattr("worker.training.runner.JobRun.run", lambda run: None)
    job_id = embeddings()
    run_job(context, job_id)
    assert get(Job, job_id).status == status


def test_what_an_operator_allows_counts_whatever_is_free(settings: Settings) -> None:
    allowed = room_for_job(settings.model_copy(update={"job_memory_bytes": GIB}))
    assert allowed == Room(GIB, GIB)
    own = room_for_job(settings)
    assert own is not None
    assert 0 < own.now <= own.most


@pytest.mark.parametrize(("device", "has_gpu"), [("cuda:1", False), ("auto", True)])
def test_nothing_is_estimated_where_jobs_may_run_on_a_gpu(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, device: str, has_gpu: bool
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(Path, "exists", lambda path: has_gpu)
    assert room_for_job(settings.model_copy(update={"device": device})) is None


@pytest.mark.parametrize(
    ("items", "width", "classes", "measured_mib"),
    [(64_000, 512, 100, 617), (8_000, 512, 3_200, 900), (20_000, 512, 10_000, 3_277), (1_000_000, 512, 100, 6_758)],
)
def test_the_estimate_lies_below_what_was_measured_and_near_it(
    items: int, width: int, classes: int, measured_mib: int
) -> None:
    """What closed forms over embeddings took, see docs/scaling.md."""
    target: Any = SimpleNamespace(item_count=items, embeddings=SimpleNamespace(rows=items, width=width))
    request = AdaptationRequest(class_names=[f"class {number}" for number in range(classes)])
    assert 0.5 < least_bytes(request, target) / 2**20 / measured_mib <= 1


@pytest.mark.parametrize(("tune", "copies"), [("auto", 1), ("model", 3)])
def test_the_weights_of_a_checkpoint_count(tmp_path: Path, tune: str, copies: int) -> None:
    target: Any = SimpleNamespace(item_count=0, embeddings=None)
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    for other in ("tokenizer.json", "optimizer.pt", "scheduler.pt", "training_args.bin", "rng_state_0.pth"):
        (tmp_path / other).write_bytes(bytes(5000))
    names = (f"sentence:{tmp_path}", f"open_clip:ViT-B-32/{tmp_path / 'model.safetensors'}")
    for name in (*names, "pouf-lite", f"sentence:{tmp_path / 'gone'}"):
        request = AdaptationRequest(base_model=name, class_names=["a", "b"], method={"tune": tune})
        expected = copies * 1000 if name in names else 0
        assert least_bytes(request, target) - SMALLEST_BYTES == expected
