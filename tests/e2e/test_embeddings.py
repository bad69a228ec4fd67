"""From a caller's own vectors to a classifier over HTTP: `pouf up` with its real worker and real broker."""

import httpx
import numpy as np
import pytest

import pouf_core
from pouf_client import ApiError
from tests.waiting import WAIT_SECONDS

CLASSES = ["fox", "heron", "otter", "wren"]
WIDTH = 32
RANDOM = np.random.default_rng(3)
CLASS_FEATURES = RANDOM.standard_normal((len(CLASSES), WIDTH)).astype(np.float32)
TRUE = RANDOM.integers(0, len(CLASSES), 300)
VECTORS = (CLASS_FEATURES[TRUE] + 0.8 * RANDOM.standard_normal((len(TRUE), WIDTH))).astype(np.float32)
METHOD = {"tune": "prototypes", "max_steps": 3, "selection": "last"}


@pytest.fixture(scope="module")
def job(client, tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "vectors.npy"
    np.save(path, np.concatenate([VECTORS, VECTORS[:2], np.zeros((1, WIDTH), np.float32)]))
    dataset = client.datasets.create(path)
    classes = client.datasets.create_from_embeddings(np.stack([CLASS_FEATURES, 2 * CLASS_FEATURES + 0.1]))
    made = client.jobs.create(dataset.id, CLASSES, class_features_dataset_id=classes.id, method=METHOD)
    return client.jobs.wait(made.id)


def test_the_datasets_say_what_was_found(client, job):
    dataset = client.datasets.get(job.dataset_id)
    assert (dataset.modality, dataset.embedding_width, dataset.embedding_templates) == ("embedding", WIDTH, None)
    assert (dataset.item_count, dataset.duplicate_count, dataset.rejected_count) == (300, 2, 1)
    (rejected,) = client.datasets.items(dataset.id, status="rejected")
    assert (rejected["name"], rejected["code"]) == ("vectors.npy[302]", "embedding_zero")
    classes = client.datasets.get(job.raw["class_features_dataset_id"])
    assert (classes.item_count, classes.embedding_templates) == (8, 2)


def test_the_service_answers_as_the_downloaded_model_does(client, job, tmp_path):
    served = client.predict_embeddings(VECTORS[:250], job.model_id, variant="adapted").items
    assert np.mean([item.class_index for item in served] == TRUE[:250]) > 0.9
    here = pouf_core.load(client.models.download(job.model_id, tmp_path / "model"), device="cpu")
    expected = here.predict(list(VECTORS[:250]), variant="adapted")
    assert [item.label for item in served] == [prediction.label for prediction in expected]
    assert [item.score for item in served] == pytest.approx([item.score for item in expected], abs=1e-5)


def test_labels_serve_to_evaluate(client, job):
    dataset = client.datasets.create_from_embeddings(VECTORS, [CLASSES[index] for index in TRUE], wait=True)
    assert (dataset.labelled_count, dataset.suggested_class_names) == (300, CLASSES)
    classes_id = job.raw["class_features_dataset_id"]
    made = client.jobs.create(dataset.id, CLASSES, class_features_dataset_id=classes_id, method=METHOD)
    assert client.jobs.wait(made.id).evaluation.n == 300


def test_a_job_without_a_method_is_adapted_in_closed_form_and_says_what_it_gains(service, client, job):
    classes_id = job.raw["class_features_dataset_id"]
    made = client.jobs.create(job.dataset_id, CLASSES, class_features_dataset_id=classes_id)
    done = client.jobs.wait(made.id)
    assert (done.status, done.fraction, done.raw["method"]["type"]) == ("succeeded", 1.0, "closed-form")
    gain = done.raw["estimated_gain"]
    assert gain["low"] <= gain["points"] <= gain["high"]
    assert (done.verdict == "improved") == (gain["low"] > 0)
    report = httpx.get(f"{service.url}{done.raw['urls']['report']}", timeout=WAIT_SECONDS).raise_for_status().text
    assert "estimated to get the right class than by the base model alone" in report
    assert list(client.jobs.metrics(done.id)) == []
    served = client.predict_embeddings(VECTORS[:250], done.model_id).items
    assert np.mean([item.class_index for item in served] == TRUE[:250]) > 0.9


def test_a_vector_of_another_width_fails_alone_and_a_text_is_no_vector(client, job):
    good, bad = client.predict_embeddings([VECTORS[0], VECTORS[0, :5]], job.model_id).items
    assert good.label in CLASSES
    assert bad.error["code"] == "embedding_width"
    with pytest.raises(ApiError) as error:
        client.predict_texts(["a text"], job.model_id)
    assert error.value.code == "wrong_modality"


def test_inputs_below_the_threshold_get_no_class(service, client, job):
    classes_id = job.raw["class_features_dataset_id"]
    options = {"class_features_dataset_id": classes_id, "threshold": "auto", "wished_accuracy": 0.99}
    done = client.jobs.wait(client.jobs.create(job.dataset_id, CLASSES, **options).id)
    assert (done.raw["threshold"], done.raw["wished_accuracy"]) == ("auto", 0.99)
    model = client.models.get(done.model_id)
    assert model.raw["threshold"] == "auto"
    assert model.abstention == done.abstention
    curve = done.abstention.zero_shot if done.fallback else done.abstention.adapted
    assert curve.points[-1].answered == 1.0
    assert curve.proposed.accuracy >= 0.99
    found = client.predict_embeddings(VECTORS[:250], done.model_id)
    assert found.threshold == curve.proposed.threshold
    assert [item.label is None for item in found.items] == [item.score < found.threshold for item in found.items]
    assert np.mean([item.label is not None for item in found.items]) == pytest.approx(curve.proposed.answered, abs=0.1)
    everything = client.predict_embeddings(VECTORS[:250], done.model_id, threshold=0)
    assert [item.top_k for item in everything.items] == [item.top_k for item in found.items]
    assert None not in [item.label for item in everything.items]
    strangers = client.predict_embeddings(RANDOM.standard_normal((250, WIDTH)), done.model_id, threshold=0.999999)
    assert {item.label for item in strangers.items} == {None}
    own, strange = ([item.none_score for item in some.items] for some in (everything, strangers))
    assert np.median(strange) > 0.9 > np.median(own)
    report = httpx.get(f"{service.url}{done.raw['urls']['report']}", timeout=WAIT_SECONDS).raise_for_status().text
    assert "get a class; an estimated" in report
    assert "share of the items that get a class" in report
