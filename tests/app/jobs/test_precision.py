"""What a job's encoders compute in, where it does not say."""

import pytest

from store.tables import Job


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"precision": "bfloat16"})


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ({}, "bfloat16"),
        ({"type": "zero-shot"}, "bfloat16"),
        ({"precision": "float32"}, "float32"),
        ({"preset": "paper"}, "auto"),
    ],
)
def test_the_setting_holds_where_neither_the_job_nor_its_preset_says_it(api, rows, database, method, expected):
    body = {"dataset_id": rows.dataset(), "class_names": ["bird", "boat"], "method": method}
    job = api.post("/v1/jobs", json=body).json()
    with database.read() as session:
        assert session.get_one(Job, job["id"]).request.method.precision == expected
