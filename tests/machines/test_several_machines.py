"""The service on several machines, one of which vanishes, and with two APIs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.addresses import why_not_ready
from pouf_client import ApiError, Client, Job
from tests.chaos.pictures import copy_pictures
from tests.chaos.workload import CLASSES, persistently, weights_of
from tests.machines.cluster import Cluster, cluster
from tests.machines.network import why_no_namespaces
from tests.postgres_server import find_initdb
from tests.waiting import WAIT_SECONDS, wait_for

SEEN_SECONDS = 20.0
METHOD = {"tune": "prompt", "max_steps": 100, "batch_size": 8, "selection": "last"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif((reason := why_no_namespaces()) is not None, reason=str(reason)),
    pytest.mark.skipif(find_initdb() is None, reason="PostgreSQL's server is not installed"),
]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("machines")) as made:
        made.start_apis()
        made.start_rest()
        made.start_training(made.trainers[0])
        for api in made.apis:
            url = made.url(api)
            wait_for(lambda url=url: why_not_ready(url) is None, lambda api=api: made.log(api), 2 * WAIT_SECONDS)
        yield made


@pytest.fixture(scope="module")
def clients(machines: Cluster) -> Iterator[list[Client]]:
    clients = [Client(machines.url(api), machines.key) for api in machines.apis]
    yield clients
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_pictures(tmp_path_factory.mktemp("pictures") / "few", CLASSES, 12)


@pytest.fixture(scope="module")
def dataset_id(clients: list[Client], pictures: Path) -> str:
    return clients[0].datasets.create(pictures, wait=True).id


def test_the_job_of_a_machine_that_vanishes_ends_on_another_with_equal_weights(
    machines: Cluster, clients: list[Client], dataset_id: str
) -> None:
    first, second = machines.trainers
    client = clients[1]  # what one API was told the other knows

    def submit() -> Job:
        return client.jobs.create(dataset_id, CLASSES, seed=1, method=METHOD)

    def has_steps_to_keep() -> bool:
        # A checkpoint may be stored before the steps that led to it are written.
        return machines.has_checkpoint(job.id) and bool(client.jobs.metrics(job.id))

    job = submit()
    wait_for(has_steps_to_keep, lambda: machines.log(first))
    first.cut_off()
    cut_off_at = datetime.now(UTC)
    machines.start_training(second)
    ended = persistently(lambda: client.jobs.wait(job.id))
    assert ended.attempt > 1
    steps = client.jobs.metrics(job.id)
    before = [step for step in steps if datetime.fromisoformat(step["created_at"]) < cut_off_at]
    assert 0 < len(before) < len(steps), "it went on from a checkpoint"

    undisturbed = persistently(lambda: client.jobs.wait(submit().id))
    assert undisturbed.attempt == 1
    assert weights_of(client, str(ended.model_id)) == weights_of(client, str(undisturbed.model_id))

    # The first machine is back, and the second has gone for good: the first takes jobs again.
    first.connect()
    second.stop()
    again = persistently(lambda: client.jobs.wait(submit().id))
    assert weights_of(client, str(again.model_id)) == weights_of(client, str(undisturbed.model_id))


def test_what_one_api_is_told_the_other_knows(clients: list[Client], dataset_id: str, pictures: Path) -> None:
    told, asked = clients
    jobs = [told.jobs.create(dataset_id, CLASSES, seed=seed) for seed in (1, 2)]
    first, second = (str(persistently(lambda job=job: told.jobs.wait(job.id)).model_id) for job in jobs)

    def served(model: str) -> str:
        return asked.predict(sorted(pictures.iterdir())[:1], model).model_id

    for model_id in (first, second):
        told.aliases.set("newest", model_id)
        wait_for(lambda model_id=model_id: served("newest") == model_id, lambda: served("newest"), SEEN_SECONDS)
    told.aliases.set("newest", first)
    told.models.delete(second)
    wait_for(lambda: refusal(lambda: served(second)) == "model_not_found", lambda: served(second), SEEN_SECONDS)
    assert served("newest") == first


def test_the_requests_of_a_key_are_counted_over_both_apis(machines: Cluster) -> None:
    key = machines.make_key("--name", "limited", "--requests-per-minute", "6")
    clients = [Client(machines.url(api), key, retries=0) for api in machines.apis]
    answers = [refusal(lambda client=client: list(client.models.list())) for client in clients * 4]
    assert answers == [None] * 6 + ["rate_limited"] * 2


def refusal(request: Callable[[], object]) -> str | None:
    """The code that the service refused with; None where it did not."""
    try:
        request()
    except ApiError as error:
        return error.code
    return None
