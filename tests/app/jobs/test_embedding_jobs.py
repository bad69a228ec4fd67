"""Jobs over embeddings: what is accepted, and at which field the rest is refused."""

import pytest

from store.tables import Job

CLASSES = ["fox", "heron", "otter", "wren"]


@pytest.fixture
def vectors(rows):
    """A dataset of embeddings as ingestion leaves it: by default class features that fit."""

    def make(count=4, width=8, status="ready", **values):
        found = {"item_count": count, "embedding_width": width} if status == "ready" else {}
        return rows.dataset(status, **{"modality": "embedding", **found, **values})

    return make


@pytest.fixture
def create(api):
    def post(dataset_id, class_features_dataset_id=None, **changes):
        body = {"dataset_id": dataset_id, "class_names": CLASSES, "method": {"tune": "prototypes"}, **changes}
        if class_features_dataset_id is not None:
            body["class_features_dataset_id"] = class_features_dataset_id
        return api.post("/v1/jobs", json=body)

    return post


def test_with_class_features_the_base_model_is_features(create, vectors, database):
    target, classes = vectors(50), vectors()
    job = create(target, classes).json()
    assert (job["base_model"], job["logit_scale"], job["prompt_template"]) == ("features", 100, [])
    assert (job["class_features_dataset_id"], job["stage"]) == (classes, None)
    assert job["urls"]["class_features_dataset"] == f"/v1/datasets/{classes}"
    with database.read() as session:
        assert session.get_one(Job, job["id"]).class_features_dataset_id == classes
    assert create(target, classes, logit_scale=20).json()["logit_scale"] == 20


@pytest.mark.parametrize("found", [{"count": 4}, {"count": 12}, {"count": 12, "embedding_templates": 3}])
def test_class_features_are_one_or_several_for_each_class(create, vectors, found):
    assert create(vectors(50), vectors(**found)).status_code == 202


def test_equal_class_features_count_each(create, vectors):
    assert create(vectors(50), vectors(3, duplicate_count=1)).status_code == 202


def test_a_text_tower_may_make_the_class_features(create, vectors):
    job = create(vectors(50), base_model="minilm").json()
    assert (job["base_model"], job["class_features_dataset_id"]) == ("minilm", None)


REFUSED = {
    "class_features_missing": ({}, None, {}),
    "class_features_count": ({}, {"count": 5}, {}),
    "class_features_width": ({}, {"width": 9}, {}),
    "class_features_rejected": ({}, {"rejected_count": 1}, {}),
    "class_features_not_used": ({}, {}, {"base_model": "minilm"}),
    "wrong_modality": ({}, {"modality": "image"}, {}),
}


@pytest.mark.parametrize("code", REFUSED)
def test_class_features_that_do_not_fit_are_refused(create, vectors, refused, code):
    target, classes, changes = REFUSED[code]
    response = create(vectors(50, **target), None if classes is None else vectors(**classes), **changes)
    refused(response, 422, code, "/class_features_dataset_id")


def test_templates_of_another_number_of_classes_are_refused(create, vectors, refused):
    response = create(vectors(50), vectors(12, embedding_templates=2))
    refused(response, 422, "class_features_count", "/class_features_dataset_id")
    assert "2 × 6" in response.json()["detail"]


def test_target_data_of_three_dimensions_is_refused(create, vectors, refused):
    refused(create(vectors(50, embedding_templates=5), vectors()), 422, "embedding_shape", "/dataset_id")


def test_what_is_no_dataset_of_the_owner_is_not_found(create, vectors, refused):
    pointer = "/class_features_dataset_id"
    refused(create(vectors(50), "ds_none"), 422, "dataset_not_found", pointer)
    refused(create(vectors(50), ""), 422, "dataset_not_found", pointer)
    refused(create(vectors(50), vectors(owner="somebody else")), 422, "dataset_not_found", pointer)


@pytest.mark.parametrize("base_model", ["pouf-lite", "minilm", "features"])
def test_embeddings_and_pictures_are_not_mixed_up(create, rows, vectors, refused, base_model):
    pictures = rows.dataset()
    if base_model == "pouf-lite":
        assert create(pictures).status_code == 202
    else:
        refused(
            create(pictures, vectors() if base_model == "features" else None, base_model=base_model),
            422,
            "wrong_modality",
            "/dataset_id",
        )


def test_a_language_model_takes_no_embeddings(create, vectors, refused):
    refused(create(vectors(50), base_model="minilm-mlm"), 422, "wrong_modality", "/base_model")


def test_every_problem_is_told_at_once(create, vectors):
    errors = create(vectors(50, embedding_templates=5), vectors(5, 9)).json()["errors"]
    assert [error["code"] for error in errors] == ["embedding_shape", "class_features_count", "class_features_width"]


@pytest.mark.parametrize("statuses", [("ingesting", "ready"), ("ready", "ingesting"), ("ingesting", "ingesting")])
def test_a_job_waits_for_either_dataset(create, vectors, outbox, statuses):
    target, classes = (vectors(4, status=status) for status in statuses)
    assert create(target, classes).json()["stage"] == "waiting_for_dataset"
    assert outbox() == []


@pytest.mark.parametrize("status", ["uploading", "failed"])
def test_class_features_that_cannot_be_used_are_a_conflict(create, vectors, refused, status):
    code = {"uploading": "dataset_not_finalized", "failed": "dataset_failed"}[status]
    refused(create(vectors(50), vectors(status=status)), 409, code)


def test_class_features_in_use_stay(api, create, vectors, refused):
    classes = vectors()
    job = create(vectors(50), classes).json()
    refused(api.delete(f"/v1/datasets/{classes}"), 409, "dataset_in_use")
    api.post(f"/v1/jobs/{job['id']}/cancel")
    assert api.delete(f"/v1/datasets/{classes}").status_code == 204
    refused(api.post(f"/v1/jobs/{job['id']}/retry"), 409, "dataset_deleted")


def test_embeddings_that_are_told_by_their_file_names_take_features(api, create):
    """`auto` says what a dataset will hold as soon as it is complete."""
    dataset = api.post("/v1/datasets", files={"files": ("a.npy", b"not yet read")}).json()
    assert (dataset["status"], dataset["modality"]) == ("ingesting", "auto")
    job = create(dataset["id"], base_model="minilm", logit_scale=30).json()
    assert (job["stage"], job["logit_scale"]) == ("waiting_for_dataset", 30)


def test_columns_are_of_texts(api, refused):
    response = api.post(
        "/v1/datasets", files={"files": ("a.npy", b"x")}, data={"modality": "embedding", "text_column": "a"}
    )
    refused(response, 422, "invalid_value", "/text_column")
