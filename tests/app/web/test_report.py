"""The report page, from documents to what a person reads."""

import re

import pytest

from pouf_core.contract.findings import finding
from pouf_core.contract.result import PartialResult
from store.tables import Job, JobMetric
from tests.app.web.report_pages import (
    CHANGED,
    CONFUSION,
    HARMFUL,
    METRICS,
    POINTS,
    SUMMARY,
    WORSE,
    audit,
    curve,
    main_part,
    read,
    render,
    text,
)

#: Of the method; nobody who has not read of it knows them.
OPAQUE = re.compile(
    r"class[ _]prior|prototype|transport|marginal|entropy|anchor|\bviews?\b|above chance|\bnats\b|[a-z]+_[a-z0-9]+"
)


@pytest.mark.parametrize(("step", "said"), [(4, "kept 4 "), (0, "kept 0 (the base model as it is)")])
def test_the_step_that_was_kept_is_named(job, step, said):
    shown = " ".join(read(render(job | {"selected_step": step}, metrics=METRICS)).words)
    assert f"Steps of training 9 Step that was {said}" in shown


def test_expected_shares_are_shown_class_by_class_with_their_source(job):
    prior = {"class_prior": [0.5, 0.375, 0.125], "class_prior_source": "estimated"}
    shown = text(job, method=job["method"] | prior)
    assert "Estimated from the data. 3 classes bird 50.0 % boat 37.5 % cat 12.5 %" in shown
    assert "[0.5" not in shown


@pytest.mark.parametrize("method", [{"class_prior": None, "class_prior_source": "none"}, {"class_prior": "auto"}])
def test_without_a_prior_there_is_no_table_of_it(job, method):
    assert "Expected share" not in text(job, method=job["method"] | method)


def test_the_kept_step_is_marked_in_every_curve_and_both_axes_are_named(job):
    page = render(job | {"selected_step": 5}, metrics=METRICS)
    assert page.count("stroke-dasharray") == 2
    assert page.count(">step</text>") == 2
    assert ">transport</text>" in page
    assert "the distance between items and classes" in page
    assert render(job | {"selected_step": 0}, metrics=METRICS).count("stroke-dasharray") == 2


def test_what_is_read_before_the_raw_settings_needs_no_knowledge_of_the_method(job):
    said = {
        "verdict": "improved",
        "evaluation": WORSE,
        "estimated_gain": {"points": 4.2, "low": 1.0, "high": 7.4},
        "abstention": {"wished_accuracy": 0.95, "adapted": curve(POINTS[1]), "zero_shot": curve(None)},
        "verdict_reasons": [{"code": "little_room", "message": "Sure."}],
        "warnings": [{"code": "marginal_shifted", "message": "Different."}],
        "method": job["method"] | {"class_prior": [0.5, 0.25, 0.25], "anchor_weight": 1.0},
    }
    page = render(
        job | said, metrics=METRICS, predictions=SUMMARY, examples=[CHANGED], confusion=CONFUSION, audits=[audit(-0.1)]
    )
    read_first = (
        main_part(page).replace('"zero_shot"', "").replace("ds_1", "").replace("job_1", "").replace("mdl_1", "")
    )
    assert OPAQUE.findall(read_first) == []
    assert "anchor_weight" in page


def test_the_page_loads_nothing_and_escapes_callers_text(api, rows, database):
    attack = '<script>alert("1")</script>'
    job_id = rows.job("running", name=attack, **HARMFUL)
    with database.write() as session:
        job = session.get_one(Job, job_id)
        words = {"class_names": [attack, "b"], "prompt_template": [attack + "{}"]}
        job.request, job.model_id = job.request.model_copy(update=words), "mdl_1"
        told = [finding(attack, attack)]
        method = {"class_prior": [0.5, 0.5], "class_prior_source": "given"}
        job.result = PartialResult(method=method, verdict_reasons=told, warnings=told)
        session.add_all(JobMetric(job_id=job_id, step=step, data={"loss": 1.0 / step}) for step in range(1, 9))
    rows.move(job_id, "succeeded")
    response = api.get(f"/v1/jobs/{job_id}/report")
    assert response.headers["content-type"].startswith("text/html")
    reader = read(response.text)
    assert " ".join(reader.words).count('<script>alert("1")</script>') >= 6
    assert not reader.elements & {"script", "link", "iframe"}
    assert not reader.attributes & {"src", "href", "onload", "onclick"}
    assert "<path" in response.text
    assert "http://" not in response.text
    assert "https://" not in response.text
