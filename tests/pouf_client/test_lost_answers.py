"""Answers that are lost on their way from a real service: what was asked for is done once."""

import httpx
import pytest

from pouf_client import Client, connection
from tests.app.conftest import application, server

__all__ = ["application", "server"]


class Losing:
    """Loses the first answer to a request that creates something, which the service has given."""

    def __init__(self):
        self.keys = []

    def __call__(self, response):
        if response.request.method != "POST":
            return
        self.keys.append(response.request.headers["Idempotency-Key"])
        if len(self.keys) == 1:
            raise httpx.ReadError("the connection was reset")


@pytest.fixture
def losing():
    return Losing()


@pytest.fixture
def pouf(server, losing, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_PAUSE_SECONDS", 0.01)
    with Client(str(server.base_url)) as made:
        made._core._connection._transport.http.event_hooks = {"response": [losing]}
        yield made


def test_a_job_is_created_once_though_its_answer_was_lost(pouf, losing, rows):
    job = pouf.jobs.create(rows.dataset(), ["red", "blue"], name="mine")
    assert [each.id for each in pouf.jobs.list(name="mine")] == [job.id]
    assert len(losing.keys) == 2
    assert losing.keys[0] == losing.keys[1]


def test_a_dataset_is_created_once_though_its_answer_was_lost(pouf, losing):
    dataset = pouf.datasets.create(["It broke.", "Fine."], modality="text", name="mine")
    assert [each.id for each in pouf.datasets.list(name="mine")] == [dataset.id]
    assert len(losing.keys) == 2
