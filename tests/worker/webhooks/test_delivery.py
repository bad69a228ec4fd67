"""Messages to webhooks: signed, retried, given up, and told to nobody else."""

import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook as Verifier

from store import webhook_messages as webhooks
from store.clock import utcnow
from store.tables import Job, OutboxMessage, Webhook
from store.transitions import transition
from tests.worker.webhooks.conftest import SECRET, attempt, deliveries, make_due
from worker.reaper.rounds import run_once
from worker.webhooks.delivery import deliver


def test_a_transition_is_sent_once_with_a_standard_signature(context, database, receiver, make_webhook, cancelled_job):
    make_webhook(receiver.url)
    job_id = cancelled_job()
    [delivery] = deliveries(database)
    deliver(context, delivery.id)
    deliver(context, delivery.id)
    [(headers, body)] = receiver.got
    message = Verifier(SECRET).verify(body, headers)
    assert headers["webhook-id"] == delivery.id
    assert (message["type"], message["data"]["job_id"]) == ("job.cancelled", job_id)
    assert message["data"]["status"] == "cancelled"
    [sent] = deliveries(database)
    assert (sent.status, sent.status_code, sent.attempts, sent.error) == ("delivered", 204, 1, None)


def test_only_subscribed_events_of_the_same_owner_are_sent(database, make_webhook, cancelled_job):
    wanted = make_webhook("https://example.com/a", "job.queued", "job.cancelled")
    make_webhook("https://example.com/b", "job.succeeded")
    make_webhook("https://example.com/c", owner="bob")
    cancelled_job()
    found = [(row.webhook_id, row.event_type) for row in deliveries(database)]
    assert found == [(wanted, "job.queued"), (wanted, "job.cancelled")]


def test_a_transition_that_is_rolled_back_is_not_sent(database, make_webhook, cancelled_job):
    make_webhook("https://example.com/a", "job.queued")
    job_id = cancelled_job()
    with pytest.raises(RuntimeError), database.write() as session:
        transition(session, session.get_one(Job, job_id), "queued")
        raise RuntimeError
    assert len(deliveries(database)) == 1


def test_a_refused_message_is_retried_with_growing_pauses_then_given_up(
    context, database, receiver, make_webhook, cancelled_job
):
    receiver.status = 500
    make_webhook(receiver.url)
    cancelled_job()
    for pause in (5, 30, None):
        make_due(database)
        before = utcnow()
        delivery = attempt(context, database)
        if pause is not None:
            assert before <= delivery.next_attempt_at - timedelta(seconds=pause) <= utcnow()
        deliver(context, delivery.id)
    assert (delivery.status, delivery.status_code, delivery.attempts) == ("failed", 500, 3)
    assert len(receiver.got) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_pauses_between_attempts_grow_to_twelve_hours():
    hours = [webhooks.pause_after(n) / timedelta(hours=1) for n in range(1, 100)]
    assert hours == sorted(hours)
    assert hours[-1] == 12


def test_the_reaper_wakes_a_worker_for_due_messages_and_deletes_old_ones(
    context, database, broker, settings, receiver, make_webhook, cancelled_job
):
    make_webhook(receiver.url)
    cancelled_job()
    with database.write() as session:
        session.query(OutboxMessage).delete()  # a broker that was wiped
    [delivery] = deliveries(database)
    run_once(database, broker.send, utcnow(), settings)
    assert ("pouf.notify", "notify", {"delivery_id": delivery.id}) in broker.sent
    deliver(context, delivery.id)
    run_once(database, broker.send, utcnow() + timedelta(days=31), settings)
    assert deliveries(database) == []


def test_an_attempt_of_a_dead_worker_is_repeated_and_its_late_result_changes_nothing(
    context, database, receiver, make_webhook, cancelled_job
):
    make_webhook(receiver.url)
    cancelled_job()
    [delivery] = deliveries(database)
    with database.write() as session:
        lost = webhooks.claim(session, delivery.id, utcnow())
    deliver(context, delivery.id)
    assert receiver.got == []
    make_due(database)
    deliver(context, delivery.id)
    with database.write() as session:
        webhooks.record(session, lost, utcnow(), 3, None, "too late")
    [delivery] = deliveries(database)
    assert (delivery.status, delivery.attempts, delivery.error) == ("delivered", 2, None)


def test_a_deleted_webhook_gets_nothing_more(context, database, receiver, make_webhook, cancelled_job):
    hook_id = make_webhook(receiver.url)
    cancelled_job()
    with database.write() as session:
        session.get_one(Webhook, hook_id).deleted_at = utcnow()
    attempt(context, database)
    cancelled_job()
    [delivery] = deliveries(database)
    assert (delivery.status, receiver.got) == ("failed", [])


def test_no_log_holds_the_secret_the_message_or_the_path(
    context, database, receiver, make_webhook, cancelled_job, caplog
):
    make_webhook(receiver.url)
    cancelled_job()
    with caplog.at_level("DEBUG"):
        delivery = attempt(context, database)
    assert delivery.id in caplog.text
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "token=hidden", json.loads(delivery.body)["data"]["job_id"]):
        assert secret not in caplog.text
