"""Messages reach only receivers that they may, where they are said to be, and wait for none for long."""

import socket
import threading
import time

import pytest

from store import webhook_targets
from tests.worker.webhooks.conftest import LOOPBACK, attempt


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
