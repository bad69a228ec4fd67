"""A finished job with predictions, and an audit of it."""

from __future__ import annotations

import pytest

from tests.app.predicted.conftest import Predicted, predicted

__all__ = ["predicted"]


@pytest.fixture
def audited(api, rows, predicted):
    """A job of 60 items whose model is served, and the document of an audit of 30 of them."""
    job = predicted(60)
    rows.model_of(job.job_id)
    answer = api.post(f"/v1/jobs/{job.job_id}/audits", json={"size": 30, "seed": 1})
    assert answer.status_code == 201, answer.text
    return job, answer.json()


def url_of(job: Predicted, audit) -> str:
    return f"/v1/jobs/{job.job_id}/audits/{audit['id']}"
