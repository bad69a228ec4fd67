"""Methods without training, and a model that does harm, over HTTP: what they publish and what is served."""

import httpx
import pytest

import pouf_core
from tests.e2e.conftest import CLASSES
from tests.waiting import WAIT_SECONDS

GIVEN = [0.36, 0.32, 0.32]
WRONG = [0.96, 0.02, 0.02]
REQUESTS = {
    "zero-shot": {"type": "zero-shot"},
    "prior-matching": {"type": "prior-matching", "class_prior": GIVEN},
    "harmful": {
        "tune": "head",
        "selection": "last",
        "max_steps": 8,
        "learning_rate": 0.01,
        "class_prior": WRONG,
        "mutual_information_weight": 100,
    },
}


@pytest.fixture(scope="module")
def url(service):
    return service.url


@pytest.fixture(scope="module")
def jobs(client, clipart):
    """The finished job of each kind."""
    dataset = clipart.upload(client, "clipart")
    submitted = {kind: client.jobs.create(dataset.id, CLASSES, method=method) for kind, method in REQUESTS.items()}
    return {kind: client.jobs.wait(job.id) for kind, job in submitted.items()}


@pytest.fixture(scope="module")
def documents(url, jobs):
    """The jobs as the API shows them."""
    return {
        kind: httpx.get(f"{url}/v1/jobs/{job.id}", timeout=WAIT_SECONDS).raise_for_status().json()
        for kind, job in jobs.items()
    }


@pytest.fixture(scope="module")
def pictures(clipart):
    return sorted(clipart.folder.glob("*.jpg"))


def scores(client, job, pictures, variant=None):
    """Label and score of each class of each picture, and which variant gave them."""
    answer = client.predict(pictures, job.model_id, top_k=len(CLASSES), variant=variant)
    return [dict(item.top_k) for item in answer.items], answer.served_variant


@pytest.mark.parametrize("kind", ["zero-shot", "prior-matching"])
def test_a_method_without_training_succeeds_and_says_that_it_tells_nothing_about_gain(client, jobs, documents, kind):
    job, document = jobs[kind], documents[kind]
    assert job.status == "succeeded"
    assert (document["verdict"], document["fallback"]) == ("uncertain", None)
    assert [reason["code"] for reason in document["verdict_reasons"]] == ["not_trained"]
    assert (document["method"]["type"], document["selected_step"]) == (kind, 0)
    assert list(client.jobs.metrics(job.id)) == []
    model = client.models.get(job.model_id)
    assert (model.verdict, model.fallback) == ("uncertain", None)
    assert [reason.code for reason in model.verdict_reasons] == ["not_trained"]


def test_the_zero_shot_model_answers_as_its_base_does(client, jobs, pictures):
    adapted, served = scores(client, jobs["zero-shot"], pictures[:4])
    zero_shot, _ = scores(client, jobs["zero-shot"], pictures[:4], "zero_shot")
    assert served == "adapted"
    for ours, theirs in zip(adapted, zero_shot, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_the_matched_model_answers_with_the_prior(client, jobs, documents, pictures):
    assert documents["prior-matching"]["method"]["class_prior"] == pytest.approx(GIVEN)
    answers, served = scores(client, jobs["prior-matching"], pictures)
    assert served == "adapted"
    shares = [sum(answer[name] for answer in answers) / len(answers) for name in CLASSES]
    assert shares == pytest.approx(GIVEN, abs=1e-3)


def test_the_matched_model_answers_the_same_once_downloaded(client, jobs, pictures, tmp_path):
    here = pouf_core.load(client.models.download(jobs["prior-matching"].model_id, tmp_path), device="cpu")
    served, _ = scores(client, jobs["prior-matching"], pictures[:4])
    for ours, theirs in zip(here.predict(pictures[:4], top_k=len(CLASSES)), served, strict=True):
        assert dict(ours.top_k) == pytest.approx(theirs, abs=1e-4)


def test_a_harmful_model_says_why(client, jobs, documents):
    document = documents["harmful"]
    assert (document["status"], document["verdict"], document["fallback"]) == ("succeeded", "harmful", "zero_shot")
    assert document["selected_step"] == REQUESTS["harmful"]["max_steps"]
    codes = {reason["code"] for reason in document["verdict_reasons"]}
    assert {"overrules_confident_predictions", "many_flips"} <= codes
    assert all(reason["message"] for reason in document["verdict_reasons"])
    model = client.models.get(jobs["harmful"].model_id)
    assert (model.verdict, model.fallback) == ("harmful", "zero_shot")


def test_a_harmful_model_is_served_by_zero_shot_unless_asked_otherwise(client, jobs, pictures):
    by_default, served = scores(client, jobs["harmful"], pictures)
    zero_shot, _ = scores(client, jobs["harmful"], pictures, "zero_shot")
    adapted, served_on_request = scores(client, jobs["harmful"], pictures, "adapted")
    assert (served, served_on_request) == ("zero_shot", "adapted")
    for default, baseline in zip(by_default, zero_shot, strict=True):
        assert default == pytest.approx(baseline, abs=1e-5)
    gaps = [abs(mine[name] - base[name]) for mine, base in zip(adapted, zero_shot, strict=True) for name in CLASSES]
    assert max(gaps) > 0.1


def test_settings_that_a_method_does_not_use_are_refused_at_their_field(url, documents):
    body = {"dataset_id": documents["zero-shot"]["dataset_id"], "class_names": CLASSES}
    answer = httpx.post(
        f"{url}/v1/jobs", json=body | {"method": {"type": "zero-shot", "max_steps": 5}}, timeout=WAIT_SECONDS
    )
    assert answer.status_code == 422
    problems = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert problems == [("/method/max_steps", "unused_parameter")]
