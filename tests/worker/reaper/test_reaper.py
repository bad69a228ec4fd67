"""One round of the reaper, seen from every kind of work that got stuck."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text, update

from store import row_removal
from store.clock import utcnow
from store.ids import new_id
from store.leases import claim_dataset, claim_job
from store.tables import BatchPrediction, Dataset, IdempotencyKey, Job, OutboxMessage, Webhook, WebhookDelivery
from store.transitions import lock_job, transition
from tests.worker.warm_jobs import run_job
from worker.reaper.loop import broker_queue_depth
from worker.reaper.rounds import run_once
from worker.training.attempts import note_checkpoint


@pytest.fixture
def reap(database: Any, broker: Any, settings: Any) -> Any:
    """Run a round some seconds from now and return what it sent."""

    def reap(after: float = 0, depth: int | None = 0) -> list[Any]:
        broker.sent.clear()
        run_once(database, broker.send, utcnow() + timedelta(seconds=after), settings, lambda _: depth)
        return list(broker.sent)

    return reap


@pytest.fixture
def lose(database: Any, settings: Any, reap: Any) -> Any:
    """Claim a job and let the lease expire."""

    def lose(job_id: str, status: str | None = None, checkpoint: int | None = None) -> None:
        with database.write() as session:
            assert claim_job(session, job_id, "one", utcnow(), -1) is not None
            transition(session, lock_job(session, job_id), "running", "training")
            if checkpoint is not None:
                note_checkpoint(session, lock_job(session, job_id), checkpoint)
            if status is not None:
                transition(session, lock_job(session, job_id), status, "training")
        reap()

    return lose


def test_a_job_with_an_expired_lease_is_requeued(
    add_ready_dataset: Any, add_job: Any, lose: Any, get: Any, broker: Any
) -> None:
    job_id = add_job(add_ready_dataset(0))
    lose(job_id)
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts, job.lease_owner, job.lease_expires_at) == ("queued", 1, None, None)
    assert broker.sent == [("pouf.train", "train", {"job_id": job_id})]


def test_a_live_lease_is_left_alone(add_ready_dataset: Any, add_job: Any, database: Any, reap: Any, get: Any) -> None:
    job_id = add_job(add_ready_dataset(0))
    with database.write() as session:
        claim_job(session, job_id, "one", utcnow(), 60)
        transition(session, lock_job(session, job_id), "running", "training")
    assert reap(after=50) == []
    assert get(Job, job_id).status == "running"


def test_three_lost_attempts_in_a_row_fail_the_job(add_ready_dataset: Any, add_job: Any, lose: Any, get: Any) -> None:
    job_id = add_job(add_ready_dataset(0))
    for _ in range(3):
        lose(job_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code, job.attempt) == ("failed", "worker_lost", 3)


def test_only_new_durable_progress_resets_the_count(add_ready_dataset: Any, add_job: Any, lose: Any, get: Any) -> None:
    job_id = add_job(add_ready_dataset(0))
    counts = []
    for checkpoint in (5, 5, 9, None, 9):
        lose(job_id, checkpoint=checkpoint)
        counts.append(get(Job, job_id).lost_attempts)
    assert counts == [1, 2, 1, 2, 3]
    assert get(Job, job_id).status == "failed"


def test_a_job_that_cannot_be_read_stops_no_round_and_fails_when_its_turn_comes(
    add_ready_dataset: Any, add_job: Any, database: Any, reap: Any, lose: Any, get: Any, context: Any
) -> None:
    bad, good = add_job(add_ready_dataset(0)), add_job(add_ready_dataset(1))
    unreadable = {"of_the_future": True}
    with database.write() as session:
        session.execute(text("UPDATE jobs SET request = :it WHERE id = :id"), {"it": json.dumps(unreadable), "id": bad})
        for job_id in (bad, good):
            claim_job(session, job_id, "one", utcnow(), -1)
            transition(session, lock_job(session, job_id), "running", "training")
    wanted = [("pouf.train", "train", {"job_id": job_id}) for job_id in (bad, good)]
    assert sorted(reap(), key=str) == sorted(wanted, key=str)
    run_job(context, bad)
    assert (get(Job, bad).status, get(Job, bad).error_code) == ("failed", "stored_document_unreadable")
    with database.read() as session:
        stored = session.execute(text("SELECT request FROM jobs WHERE id = :id"), {"id": bad}).scalar_one()
    assert json.loads(stored) == unreadable


@pytest.mark.parametrize(("asked", "final"), [("cancelling", "cancelled"), ("pausing", "paused")])
def test_a_requested_stop_is_completed_when_the_worker_died(
    asked: str, final: str, add_ready_dataset: Any, add_job: Any, lose: Any, get: Any, broker: Any
) -> None:
    job_id = add_job(add_ready_dataset(0))
    lose(job_id, status=asked)
    assert get(Job, job_id).status == final
    assert broker.sent == []


def test_a_queued_job_is_published_again_only_when_the_broker_has_nothing_for_it(
    add_ready_dataset: Any, add_job: Any, reap: Any
) -> None:
    job_id = add_job(add_ready_dataset(0))
    wanted = [("pouf.train", "train", {"job_id": job_id})]
    assert reap(after=20) == []
    assert reap(after=40, depth=7) == []
    assert reap(after=40, depth=None) == []
    assert reap(after=40) == wanted
    assert reap(after=60) == []  # another reaper, or the next round
    assert reap(after=80) == wanted


def test_a_job_whose_message_died_with_a_worker_is_published_again_once_others_overtake_it(
    add_ready_dataset: Any, add_job: Any, database: Any, reap: Any
) -> None:
    dataset_id = add_ready_dataset(0)
    forgotten, running, waiting = (add_job(dataset_id) for _ in range(3))
    with database.write() as session:
        for age, job_id in ((90, forgotten), (80, running), (70, waiting)):
            then = utcnow() - timedelta(seconds=age)
            session.execute(update(Job).where(Job.id == job_id).values(queued_at=then, updated_at=then))
    assert reap(depth=1) == []
    with database.write() as session:
        assert claim_job(session, running, "one", utcnow(), 600) is not None
        transition(session, lock_job(session, running), "running", "training")
    assert reap(depth=1) == [("pouf.train", "train", {"job_id": forgotten})]
    assert reap(after=40, depth=2) == []  # its new message stands behind the others


def test_a_job_that_waits_for_memory_is_published_again_however_busy_the_queue_is(
    add_ready_dataset: Any, add_job: Any, database: Any, reap: Any
) -> None:
    job_id = add_job(add_ready_dataset(0))
    with database.write() as session:
        session.execute(update(Job).values(stage="waiting_for_memory"))
    assert reap(after=20, depth=5) == []
    assert reap(after=40, depth=5) == [("pouf.train", "train", {"job_id": job_id})]
    assert reap(after=60, depth=5) == []


def test_a_job_queued_in_the_future_is_published_again_however_busy_the_queue_is(
    add_ready_dataset: Any, add_job: Any, database: Any, reap: Any
) -> None:
    job_id = add_job(add_ready_dataset(0))
    with database.write() as session:
        session.execute(update(Job).values(queued_at=utcnow() + timedelta(hours=2)))
    assert reap(after=40, depth=5) == [("pouf.train", "train", {"job_id": job_id})]
    assert reap(after=80, depth=5) == []


def test_a_dataset_is_published_again_past_a_busy_queue_when_it_has_waited_much_longer(
    add_ready_dataset: Any, reap: Any
) -> None:
    dataset_id = add_ready_dataset(0, status="ingesting")
    assert reap(after=40, depth=1) == []
    assert reap(after=310, depth=1) == [("pouf.ingest", "ingest", {"dataset_id": dataset_id})]
    assert reap(after=320, depth=1) == []


def test_a_job_that_waits_for_its_dataset_is_left_alone(add_ready_dataset: Any, add_job: Any, reap: Any) -> None:
    dataset_id = add_ready_dataset(0, status="uploading")
    add_job(dataset_id)
    assert reap(after=40) == []


@pytest.mark.parametrize(
    ("target", "class_features", "wakes"),
    [("ready", "ready", True), ("ready", "uploading", False), ("uploading", "ready", False), ("ready", "failed", True)],
)
def test_a_job_over_two_datasets_is_published_again_once_none_keeps_it_waiting(
    add_ready_dataset: Any, add_job: Any, reap: Any, target: str, class_features: str, wakes: bool
) -> None:
    classes_id = add_ready_dataset(0, status=class_features)
    job_id = add_job(add_ready_dataset(0, status=target), class_features_dataset_id=classes_id)
    assert reap(after=40) == ([("pouf.train", "train", {"job_id": job_id})] if wakes else [])


def test_a_lost_ingestion_is_tried_again_and_fails_in_the_end_with_its_jobs(
    add_ready_dataset: Any, add_job: Any, database: Any, reap: Any, get: Any
) -> None:
    dataset_id = add_ready_dataset(0, status="ingesting")
    job_id = add_job(dataset_id)
    for attempt in (1, 2, 3):
        with database.write() as session:
            assert claim_dataset(session, dataset_id, "one", utcnow(), -1).fence == attempt
        expected = [("pouf.ingest", "ingest", {"dataset_id": dataset_id})] if attempt < 3 else []
        assert reap() == expected
    assert (get(Dataset, dataset_id).status, get(Dataset, dataset_id).error_code) == ("failed", "worker_lost")
    assert (get(Job, job_id).status, get(Job, job_id).error_code) == ("failed", "dataset_failed")


def test_an_unclaimed_dataset_is_published_again_unless_it_was_deleted(
    add_ready_dataset: Any, database: Any, reap: Any
) -> None:
    dataset_id = add_ready_dataset(0, status="ingesting")
    assert reap(after=40) == [("pouf.ingest", "ingest", {"dataset_id": dataset_id})]
    with database.write() as session:
        session.execute(update(Dataset).values(deleted_at=utcnow()))
    assert reap(after=80) == []


def idempotency_key(name: str, at: datetime) -> IdempotencyKey:
    columns = {"owner": "local", "route": "/", "request_hash": "0", "state": "done", "claim": "1"}
    return IdempotencyKey(key=name, created_at=at, **columns)


def sent_message(name: str, at: datetime) -> OutboxMessage:
    return OutboxMessage(id=name, task="pouf.train", queue="train", payload={}, published_at=at)


def ended_delivery(name: str, at: datetime) -> WebhookDelivery:
    columns = {"owner": "local", "webhook_id": "whk", "job_id": "", "event_type": "job.failed", "body": "{}"}
    return WebhookDelivery(id=name, status="delivered", finished_at=at, **columns)


@pytest.mark.parametrize("made", [idempotency_key, sent_message, ended_delivery])
def test_what_was_kept_for_a_while_goes_some_at_a_time_so_that_nobody_waits_long_to_write(
    database: Any, reap: Any, monkeypatch: pytest.MonkeyPatch, made: Any
) -> None:
    monkeypatch.setattr(row_removal, "ROWS_AT_ONCE", 2)
    with database.write() as session:
        session.add(Webhook(id="whk", owner="local", url="http://a.example", event_types=[], secret=""))
        session.flush()
        session.add_all([made(f"old {number}", utcnow() - timedelta(days=40)) for number in range(5)])
        session.add(made("new", utcnow()))
    left: list[int] = []

    def note(_: Any) -> None:
        with database.read() as session:
            left.append(session.query(type(made("", utcnow()))).count())

    event.listen(database.engine, "commit", note)
    reap()
    assert {4, 2, 1} <= set(left)
    assert left[-1] == 1


def test_the_queue_depth_of_an_unreachable_broker_is_unknown() -> None:
    assert broker_queue_depth("redis://127.0.0.1:1/0")("train") is None


def test_a_clock_that_was_set_back_keeps_no_dead_lease_alive(
    add_ready_dataset: Any, add_job: Any, database: Any, reap: Any, get: Any, settings: Any
) -> None:
    job_id = add_job(add_ready_dataset(0))
    dataset_id = add_ready_dataset(0, status="ingesting")
    with database.write() as session:
        assert claim_job(session, job_id, "one", utcnow() + timedelta(hours=2), settings.lease_seconds) is not None
        transition(session, lock_job(session, job_id), "running", "training")
        assert claim_dataset(session, dataset_id, "one", utcnow() + timedelta(hours=2), settings.lease_seconds)
    reap()
    assert get(Job, job_id).status == "running"  # its holder may be alive, and has the whole time of a lease to say so
    reap(after=settings.lease_seconds + 1)
    assert get(Job, job_id).status == "queued"
    assert get(Dataset, dataset_id).lease_owner is None


def test_work_last_touched_in_the_future_is_published_again(
    add_ready_dataset: Any, add_job: Any, database: Any, reap: Any
) -> None:
    job_id = add_job(add_ready_dataset(0))
    dataset_id = add_ready_dataset(0, status="ingesting")
    with database.write() as session:
        for table in (Job, Dataset):
            session.execute(update(table).values(updated_at=utcnow() + timedelta(hours=2)))
    assert sorted(reap()) == [
        ("pouf.ingest", "ingest", {"dataset_id": dataset_id}),
        ("pouf.train", "train", {"job_id": job_id}),
    ]
    assert reap() == []


def test_a_batch_prediction_whose_worker_or_message_is_lost_is_published_again(
    rows: Any, database: Any, reap: Any, get: Any, broker: Any
) -> None:
    lost, unheard, heard = (new_id("bat") for _ in range(3))
    long_ago = utcnow() - timedelta(hours=1)
    lease = {"lease_owner": "gone", "lease_expires_at": long_ago, "fence": 1}
    fields = {"owner": "local", "model_id": "mdl_1", "dataset_id": rows.dataset(), "item_count": 1}
    with database.write() as session:
        session.add(BatchPrediction(id=lost, status="running", **fields, **lease))
        session.add(BatchPrediction(id=unheard, status="queued", updated_at=long_ago, **fields))
        session.add(BatchPrediction(id=heard, status="queued", **fields))
    reap()
    row = get(BatchPrediction, lost)
    assert (row.status, row.lease_owner, row.lost_attempts) == ("queued", None, 1)
    published = [("pouf.predict", "train", {"batch_id": batch_id}) for batch_id in (lost, unheard)]
    assert sorted(broker.sent, key=str) == sorted(published, key=str)
