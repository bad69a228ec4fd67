"""From unlabelled pictures to an adapted classifier over HTTP: `pouf up` with its real worker and real broker."""

import os
import signal

import httpx
import psutil
import pytest

import pouf_core
from pouf_client import ApiError, Client
from tests.e2e.conftest import CLASSES, digest
from tests.waiting import WAIT_SECONDS, processes_with, wait_for

STEPS, STEPS_OF_HOURS = 3, 10_000


@pytest.fixture(scope="module")
def dataset(client, clipart):
    return clipart.upload(client, "true labels")


@pytest.fixture(scope="module")
def job(client, dataset):
    return adapt(client, dataset.id)


@pytest.fixture(scope="module")
def model(client, job, tmp_path_factory):
    return client.models.download(job.model_id, tmp_path_factory.mktemp("model"))


def adapt(client: Client, dataset_id: str, **options):
    method = {"tune": "prompt", "max_steps": STEPS, "selection": "last"}
    return client.jobs.wait(client.jobs.create(dataset_id, CLASSES, method=method, **options).id)


def test_labels_are_kept_apart(dataset, clipart):
    assert dataset.item_count == dataset.labelled_count == len(clipart.labels)
    assert dataset.rejected_count == 0


def test_the_job_succeeds_and_says_how_well(job, clipart):
    assert job.status == "succeeded"
    assert job.evaluation.n == len(clipart.labels)
    low, high = job.evaluation.adapted_interval
    assert low <= job.evaluation.adapted_accuracy <= high
    assert job.evaluation.zero_shot_accuracy > 1 / len(CLASSES)


def test_its_events_tell_the_way_it_went(client, job):
    events = list(client.jobs.events(job.id))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    stages = [event.data["stage"] for event in events if event.type in ("job.running", "job.stage")]
    # what another job over these pictures has encoded is not encoded again
    encoding = [stage for stage in stages if stage.startswith("encoding")]
    assert encoding in ([], ["encoding"], ["encoding_views"], ["encoding", "encoding_views"])
    assert [stage for stage in stages if stage not in (*encoding, "evaluating")] == [
        "loading_base",
        "training",
        "exporting",
    ]
    assert [event.type for event in events if event.type.endswith("ed")] == ["job.queued", "job.succeeded"]
    assert list(client.jobs.events(job.id, after=events[-2].seq)) == events[-1:]


def test_its_metrics_cover_every_step(client, job):
    assert [entry["step"] for entry in client.jobs.metrics(job.id)] == list(range(1, STEPS + 1))


def test_the_downloaded_model_answers_as_the_service_does(client, job, model, clipart):
    pictures = sorted(clipart.folder.glob("*.jpg"))[:3]
    here = pouf_core.load(model, device="cpu")
    for variant in ("adapted", "zero_shot"):
        served = client.predict(pictures, job.model_id, top_k=2, variant=variant).items
        expected = here.predict(pictures, top_k=2, variant=variant)
        assert [item.label for item in served] == [prediction.label for prediction in expected]
        assert [item.score for item in served] == pytest.approx([item.score for item in expected], abs=1e-4)


def test_the_zero_shot_variant_is_served_beside_it(client, job, clipart):
    answer = client.predict([next(iter(clipart.folder.glob("*.jpg")))], job.model_id, variant="zero_shot")
    assert (answer.requested_variant, answer.served_variant) == ("zero_shot", "zero_shot")


def test_the_same_seed_gives_the_same_bytes_whatever_the_labels_say(client, dataset, model, clipart, tmp_path):
    names = list(clipart.labels)
    wrong = dict(zip(names, [clipart.labels[name] for name in names[5:] + names[:5]], strict=True))
    assert wrong != clipart.labels
    permuted = clipart.upload(client, "permuted labels", labels=wrong)
    assert permuted.fingerprint == dataset.fingerprint
    for i, dataset_id in enumerate((dataset.id, permuted.id)):
        again = client.models.download(adapt(client, dataset_id).model_id, tmp_path / str(i))
        assert digest(again) == digest(model)


def test_an_alias_moves_to_the_new_model(client, dataset, clipart):
    picture = [next(iter(clipart.folder.glob("*.jpg")))]
    with pytest.raises(ApiError) as error:
        client.predict(picture, "latest")
    assert error.value.status == 404
    job = adapt(client, dataset.id, alias="latest", seed=1)
    assert client.predict(picture, "latest").model_id == job.model_id


def test_a_cancelled_job_ends_soon(client, dataset):
    job = client.jobs.create(
        dataset.id, CLASSES, method={"tune": "model", "max_steps": STEPS_OF_HOURS, "selection": "last"}
    )
    for event in client.jobs.events(job.id):
        if event.data.get("stage") == "training":
            break
    client.jobs.cancel(job.id)
    for _ in client.jobs.events(job.id):
        pass
    ended = client.jobs.get(job.id)
    assert ended.status == "cancelled"
    assert ended.step < STEPS_OF_HOURS


@pytest.mark.parametrize("part", [pytest.param("uvicorn", marks=pytest.mark.slow), "ingest@", "valkey-server"])
def test_a_part_that_is_killed_comes_back(service, client, dataset, part):
    killed = wait_for(lambda: find(service.pid, part))
    os.kill(killed.pid, signal.SIGKILL)

    def is_back() -> bool:
        found = find(service.pid, part)
        return found is not None and found.pid != killed.pid and ready(service.url)

    wait_for(is_back, lambda: f"{part} did not come back")
    assert client.datasets.get(dataset.id).status == "ready"


def find(supervisor: int, part: str) -> psutil.Process | None:
    """The supervisor's child whose command line holds this part."""
    return next(iter(processes_with(part, supervisor, recursive=False)), None)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=WAIT_SECONDS).is_success
    except httpx.TransportError:
        return False
