"""A real receiver of messages, and jobs whose transitions are sent to it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from pouf_core.contract.request import AdaptationRequest
from store.clock import utcnow
from store.ids import new_id
from store.tables import Dataset, Job, Webhook, WebhookDelivery
from store.transitions import start_life, transition
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


def make_due(database) -> None:
    with database.write() as session:
        for delivery in session.scalars(select(WebhookDelivery)):
            delivery.next_attempt_at = utcnow() - timedelta(seconds=1)
