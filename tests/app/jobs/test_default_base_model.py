"""The base model of jobs that name none: by what the dataset holds, as soon as that is known."""

import pytest

from pouf_core.contract.base_model import DEFAULT_BASE_MODELS
from store.tables import Dataset, Job, Upload

CLASSES = ["bird", "boat"]


def create(api, dataset_id, **body):
    return api.post("/v1/jobs", json={"dataset_id": dataset_id, "class_names": CLASSES, **body})


@pytest.fixture
def ingesting(rows, database):
    """A dataset of a file that waits for ingestion."""

    def make(filename):
        dataset_id = rows.dataset("ingesting", modality="auto")
        columns = {"storage_key": "k", "size": 1, "sha256": "0" * 64, "position": 1}
        with database.write() as session:
            session.add(Upload(id=f"up_{dataset_id}", dataset_id=dataset_id, filename=filename, **columns))
        return dataset_id

    return make


@pytest.mark.parametrize(("modality", "expected"), [("image", "pouf-lite"), ("text", "minilm")])
def test_the_dataset_chooses_it(api, rows, modality, expected):
    job = create(api, rows.dataset(modality=modality)).json()
    assert job["base_model"] == expected
    assert job["prompt_template"]


@pytest.mark.parametrize(("filename", "expected"), [("a.png", "pouf-lite"), ("a.csv", "minilm")])
def test_names_of_files_choose_it_while_they_are_ingested(api, ingesting, filename, expected):
    assert create(api, ingesting(filename)).json()["base_model"] == expected


def test_it_is_open_until_ingestion_tells(api, ingesting, database):
    response = create(api, ingesting("a.parquet"), prompt_template="a {}", label_words={"bird": "bird"})
    assert response.status_code == 202
    job = response.json()
    assert (job["base_model"], job["stage"], job["prompt_template"]) == ("auto", "waiting_for_dataset", ["a {}"])
    assert api.get("/v1/jobs").json()["data"][0]["base_model"] == "auto"
    with database.read() as session:
        assert session.get_one(Job, job["id"]).request.base_model == "auto"


def test_what_is_wrong_whatever_it_is_is_refused_at_once(api, ingesting, refused):
    refused(create(api, ingesting("a.parquet"), class_names=["bird"]), 422, "too_few_classes", "/class_names")


def test_a_retried_job_gets_it_from_the_dataset_that_is_ready_now(api, rows, ingesting, database):
    dataset_id = ingesting("a.parquet")
    job = create(api, dataset_id).json()
    rows.move(job["id"], "cancelled")
    with database.write() as session:
        dataset = session.get_one(Dataset, dataset_id)
        dataset.status, dataset.modality, dataset.item_count = "ready", "text", 2
    retried = api.post(f"/v1/jobs/{job['id']}/retry").json()
    assert (retried["status"], retried["base_model"]) == ("queued", "minilm")
    assert retried["prompt_template"] == ["A text about {}."]


def test_every_modality_has_one():
    assert set(DEFAULT_BASE_MODELS) == {"image", "text", "embedding"}
