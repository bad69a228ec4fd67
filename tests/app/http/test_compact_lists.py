"""Lists leave out what grows with the number of classes, and do not read it."""

import pytest

CLASSES = [f"class {number} {'x' * 80}" for number in range(2000)]


@pytest.fixture
def large(rows):
    """Ids of a job, a model and a dataset with many classes."""
    job_id = rows.job(class_names=CLASSES)
    model_id = rows.model(class_names=CLASSES)
    dataset_id = rows.dataset(suggested_class_names=CLASSES)
    return {"jobs": job_id, "models": model_id, "datasets": dataset_id}


@pytest.mark.parametrize("kind", ["jobs", "models", "datasets"])
def test_lists_are_short_and_documents_whole(api, large, kind):
    answer = api.get(f"/v1/{kind}")
    assert len(answer.content) < 20_000
    listed = next(row for row in answer.json()["data"] if row["id"] == large[kind])
    whole = api.get(f"/v1/{kind}/{large[kind]}").json()
    long_fields = {"class_names", "prompt_template", "label_words", "text_limits", "suggested_class_names"}
    assert set(whole) - set(listed) == long_fields & set(whole)
    assert {name: listed[name] for name in set(whole) & set(listed)} == {
        name: whole[name] for name in set(whole) & set(listed)
    }
    if kind != "datasets":
        assert (listed["class_count"], whole["class_names"]) == (2000, CLASSES)


@pytest.mark.parametrize("kind", ["jobs", "models"])
def test_rows_of_older_versions_are_listed_alike(api, large, database, kind):
    (before,) = [row for row in api.get(f"/v1/{kind}").json()["data"] if row["id"] == large[kind]]
    with database.write() as session:
        session.connection().exec_driver_sql(f"UPDATE {kind} SET summary = NULL")
    (after,) = [row for row in api.get(f"/v1/{kind}").json()["data"] if row["id"] == large[kind]]
    assert after == before


def test_a_prior_of_many_classes_is_left_out_of_lists(api, rows):
    prior = [1 / 2000] * 2000
    rows.job(class_names=CLASSES, method={"tune": "prompt", "class_prior": prior})
    (job,) = api.get("/v1/jobs").json()["data"]
    assert "class_prior" not in job["method"]
    assert api.get(f"/v1/jobs/{job['id']}").json()["method"]["class_prior"] == prior
