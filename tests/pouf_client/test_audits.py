"""Audits by the client, over the real API."""

from __future__ import annotations

import json

import pytest

from pouf_client import ApiError, Client
from tests.app.conftest import application, make_key, server
from tests.app.predicted.conftest import predicted

__all__ = ["application", "make_key", "predicted", "server"]


@pytest.fixture
def pouf(server):
    with Client(str(server.base_url)) as made:
        yield made


def test_a_review_from_drawing_to_confirming(pouf, rows, predicted, tmp_path):
    job = predicted(60)
    rows.model_of(job.job_id)
    audit = pouf.audits.create(job.job_id, 30, seed=1)
    assert (audit.size, len(audit.items), audit.estimate) == (30, 30, None)
    first, *rest = audit.items
    pouf.audits.answer(job.job_id, audit.id, [{"item": first["name"], "label": first["label"]}], person="ann")
    table = tmp_path / "answers.csv"
    table.write_text("item,label\n" + "".join(f"{item['sha256']},{item['adapted_label']}\n" for item in rest))
    found = pouf.audits.answer_from(job.job_id, audit.id, table)
    assert found.counts["answered"] == 30
    assert found.estimate["adapted"]["value"] == 1
    assert found.proposal["verdict"] == "improved"
    assert pouf.audits.confirm(job.job_id, audit.id).raw["applied"]["verdict"] == "improved"
    assert pouf.jobs.get(job.job_id).raw["verdict"] == "improved"
    assert [one["person"] for one in pouf.audits.answers(job.job_id, audit.id)] == ["ann"] + 29 * ["anonymous"]
    saved = pouf.audits.save_answers(job.job_id, audit.id, tmp_path / "saved.csv")
    assert len(saved.read_text().splitlines()) == 31
    assert [one.id for one in pouf.audits.list(job.job_id)] == [audit.id]
    pouf.audits.delete(job.job_id, audit.id)
    with pytest.raises(ApiError) as refused:
        pouf.audits.get(job.job_id, audit.id)
    assert refused.value.code == "audit_not_found"


def test_a_file_of_label_studio_is_sent_as_it_is(pouf, predicted, tmp_path):
    job = predicted(10)
    audit = pouf.audits.create(job.job_id, 2, suspected=0)
    exported = tmp_path / "export.json"
    exported.write_text(json.dumps([{"sha256": audit.items[0]["sha256"], "label": "red", "annotator": 1}]))
    assert pouf.audits.answer_from(job.job_id, audit.id, exported).counts["answered"] == 1
