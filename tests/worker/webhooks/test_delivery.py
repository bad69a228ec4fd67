"""Messages to webhooks, to a real receiver: signed, retried, given up, and kept away from the inside."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier

from pouf_core.contract.request import AdaptationRequest
from store import webhook_messages as webhooks
from store import webhook_targets
from store.clock import utcnow
from store.ids import new_id
from store.tables import Dataset, Job, OutboxMessage, Webhook, WebhookDelivery
from store.transitions import start_life, transition
from worker.reaper.rounds import run_once
from worker.webhooks.delivery import deliver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = "127.0.0.0/8"


@dataclass
class Receiver:
    """Keeps what it gets, and answers with a fixed status."""

    url: str
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(f"http://127.0.0.1:{server.server_port}/hook?token=hidden")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def context(make_context):
    """A worker whose operator allows loopback."""
    return make_context(webhook_allowed_networks=[LOOPBACK], webhook_max_attempts=3)


@pytest.fixture
def make_webhook(database):
    def make(url: str, *event_types: str, owner: str = "local") -> str:
        types = list(event_types or ["job.cancelled"])
        hook = Webhook(id=new_id("whk"), owner=owner, url=url, event_types=types, secret=SECRET)
        with database.write() as session:
            session.add(hook)
        return hook.id

    return make


@pytest.fixture
def cancelled_job(database):
    """Makes a job and cancels it."""

    def make(owner: str = "local") -> str:
        dataset = Dataset(id=new_id("ds"), owner=owner, modality="image", status="ready")
        job = Job(
            id=new_id("job"),
            owner=owner,
            dataset_id=dataset.id,
            request=AdaptationRequest(class_names=["a", "b"]),
        )
        with database.write() as session:
            session.add(dataset)
            session.flush()
            start_life(session, job)
            transition(session, job, "cancelled")
        return job.id

    return make


def deliveries(database) -> list[WebhookDelivery]:
    with database.read() as session:
        return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).all())


def attempt(context, database) -> WebhookDelivery:
    """Send the only message there is; returns what became of it."""
    [delivery] = deliveries(database)
    deliver(context, delivery.id)
    [delivery] = deliveries(database)
    return delivery


@pytest.fixture
def resolved(monkeypatch):
    """Every name stands for this machine; the list of names that were looked up."""
    asked = []
    real = webhook_targets.socket.getaddrinfo

    def look_up(host, *arguments, **options):
        asked.append(host)
        return real("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(webhook_targets.socket, "getaddrinfo", look_up)
    return asked


def make_due(database) -> None:
    with database.write() as session:
        for delivery in session.scalars(select(WebhookDelivery)):
            delivery.next_attempt_at = utcnow() - timedelta(seconds=1)


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


def test_redirects_are_not_followed(context, database, receiver, make_webhook, cancelled_job):
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    make_webhook(receiver.url)
    cancelled_job()
    delivery = attempt(context, database)
    assert (len(receiver.got), delivery.status, delivery.status_code) == (1, "pending", 307)


@pytest.mark.parametrize("host", ["127.0.0.1", "rebound.example.com"])
def test_a_message_to_this_machine_is_refused_unless_allowed_even_after_dns_rebinding(
    make_context, database, receiver, make_webhook, cancelled_job, resolved, host
):
    make_webhook(receiver.url.replace("127.0.0.1", host))
    cancelled_job()
    delivery = attempt(make_context(), database)
    assert receiver.got == []
    assert "not a public address" in delivery.error


def test_a_name_is_resolved_once_for_the_check_and_the_connection(
    context, database, receiver, make_webhook, cancelled_job, resolved
):
    make_webhook(receiver.url.replace("127.0.0.1", "receiver.example.com"))
    cancelled_job()
    attempt(context, database)
    assert resolved.count("receiver.example.com") == 1
    assert receiver.got[0][0]["host"].startswith("receiver.example.com:")


def test_a_receiver_that_answers_too_slowly_is_given_up(make_context, database, make_webhook, cancelled_job):
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_slowly() -> None:
        connection, _ = listener.accept()
        with connection:
            for _ in range(300):
                try:
                    connection.send(b"H")
                except OSError:
                    return
                time.sleep(0.1)

    thread = threading.Thread(target=answer_slowly)
    thread.start()
    make_webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    cancelled_job()
    started = time.monotonic()
    delivery = attempt(make_context(webhook_allowed_networks=[LOOPBACK], webhook_timeout=0.5), database)
    assert time.monotonic() - started < 25  # the receiver takes 30
    thread.join()
    listener.close()
    assert (delivery.status, delivery.status_code) == ("pending", None)


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
