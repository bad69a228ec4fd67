"""Owners whose receivers are slow, and others."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select

from store import webhook_messages as webhooks
from store.ids import new_id
from store.tables import OutboxMessage, Webhook, WebhookDelivery
from tests.waiting import wait_for
from worker.webhooks.delivery import deliver
from worker.webhooks.turns import MOST_OF_AN_OWNER, OwnerTurns

THREADS = 2 * MOST_OF_AN_OWNER


@pytest.fixture
def slow_receiver() -> Iterator[tuple[str, list[str], threading.Event]]:
    """A URL, what came to it, and what lets it answer."""
    got: list[str] = []
    may_answer = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.path)
            if self.path == "/slow":
                may_answer.wait()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got, may_answer
    may_answer.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def messages(database):
    """Stores messages to a URL of an owner."""

    def store(owner: str, url: str, count: int) -> list[str]:
        hook = Webhook(id=new_id("whk"), owner=owner, url=url, event_types=["job.failed"], secret="whsec_aaaa")
        with database.write() as session:
            session.add(hook)
            session.flush()
            return [webhooks.test(session, hook).id for _ in range(count)]

    return store


def statuses(database, ids):
    with database.read() as session:
        found = session.execute(select(WebhookDelivery.id, WebhookDelivery.status)).all()
    return [status for delivery_id, status in found if delivery_id in ids]


def test_an_owner_with_slow_receivers_keeps_no_other_waiting(make_context, database, messages, slow_receiver, outbox):
    url, got, may_answer = slow_receiver
    context = make_context(webhook_allowed_networks=["127.0.0.0/8"], webhook_timeout=600.0)
    many, other = messages("greedy", f"{url}/slow", THREADS), messages("other", f"{url}/quick", 1)
    with database.write() as session:  # woken by hand below
        for message in session.scalars(select(OutboxMessage)):
            session.delete(message)
    with ThreadPoolExecutor(THREADS) as threads:
        sent = [threads.submit(deliver, context, each) for each in [*many, *other]]
        try:
            wait_for(lambda: statuses(database, other) == ["delivered"])
            wait_for(lambda: sum(each.done() for each in sent) == len(sent) - MOST_OF_AN_OWNER)
            wait_for(lambda: got.count("/slow") == MOST_OF_AN_OWNER)
            assert outbox() == []
        finally:
            may_answer.set()
    passed_over = {each for each in many if statuses(database, [each]) == ["pending"]}
    woken = {payload["delivery_id"] for _, payload in outbox()}
    assert (len(passed_over), woken) == (THREADS - MOST_OF_AN_OWNER, passed_over)


def test_turns_are_forgotten_when_nothing_is_due():
    turns = OwnerTurns(most=1)
    assert turns.take("a")
    assert not turns.take("a")
    assert turns.take("b")
    assert (turns.give_back("a"), turns.give_back("b")) == (True, False)
    assert turns.take("a")
    turns.nothing_is_due("a")
    assert not turns.give_back("a")


def test_an_owner_takes_at_most_half_of_what_the_others_leave() -> None:
    turns = OwnerTurns(most=4)
    taken = {owner: sum(turns.take(owner) for _ in range(8)) for owner in ("first", "second", "third", "fourth")}
    assert taken == {"first": 4, "second": 2, "third": 1, "fourth": 1}
