"""The report page, from documents to what a person reads."""

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from app.web.predictions import ChangedItem, ClassCount, PredictionSummary
from app.web.report import render_report
from pouf_core.contract.findings import finding
from pouf_core.contract.result import PartialResult
from store.tables import Job, JobMetric

REASONS = [{"code": "classes_vanished", "message": "2 of 3 classes are not predicted any more."}]
HARMFUL = {"verdict": "harmful", "verdict_reasons": REASONS, "fallback": "zero_shot", "selected_step": 4}


class Reader(HTMLParser):
    """The words of a page, with the names of its elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._silent = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words += data.split()


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture
def job() -> dict[str, Any]:
    """The document of a job that has succeeded."""
    return {
        "id": "job_1",
        "name": "pets",
        "status": "succeeded",
        "stage": None,
        "status_transitions": [{"status": "succeeded", "stage": None, "at": "2026-01-01T00:00:00Z"}],
        "dataset_id": "ds_1",
        "class_features_dataset_id": None,
        "base_model": "pouf-lite",
        "class_names": ["bird", {"name": "boat", "prompt": "sailing boat"}, "cat"],
        "prompt_template": ["a photo of a {}."],
        "method": {"type": "pouf", "tune": "prompt", "max_steps": 8},
        "quality": "best",
        "seed": 0,
        "evaluation": None,
        "no_evaluation": None,
        "estimated_gain": None,
        "verdict": None,
        "verdict_reasons": [],
        "fallback": None,
        "selected_step": 8,
        "model_id": "mdl_1",
        "error": None,
        "warnings": [],
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": None,
        "finished_at": None,
        "urls": {"predict": "/v1/models/mdl_1/predict"},
    }


def text(job: dict[str, Any], **changes: Any) -> str:
    return " ".join(read(render_report(job | changes, [])).words)


def test_a_job_without_an_evaluation_says_why_where_it_knows(job):
    heading = "Accuracy on the labelled items"
    assert heading not in text(job)
    shown = text(job, no_evaluation={"code": "labels_match_no_class", "message": "None of the labels is a class."})
    assert f"{heading} None of the labels is a class." in shown


def test_a_harmful_adaptation_shows_its_reasons_and_how_to_ask_for_it(job):
    shown = text(job, **HARMFUL)
    assert "Verdict: Harmful" in shown
    assert "2 of 3 classes are not predicted any more. classes_vanished" in shown
    assert "Served by default: zero-shot" in shown
    assert 'send "variant": "adapted" to POST /v1/models/mdl_1/predict' in shown


@pytest.mark.parametrize(("verdict", "word"), [("improved", "Improved"), ("uncertain", "Uncertain")])
def test_a_trusted_adaptation_is_served_and_zero_shot_is_there_on_request(job, verdict, word):
    shown = text(job, verdict=verdict, verdict_reasons=REASONS)
    assert f"Verdict: {word}" in shown
    assert REASONS[0]["message"] in shown
    assert "Served by default: the adapted variant" in shown
    assert 'send "variant": "zero_shot" to POST /v1/models/mdl_1/predict' in shown


@pytest.mark.parametrize("verdict", ["improved", "uncertain", "harmful"])
def test_a_verdict_has_a_colour_and_a_word(job, verdict):
    page = render_report(job | {"verdict": verdict}, [])
    assert f'<section class="verdict {verdict}"' in page
    assert f".verdict.{verdict} " in page
    assert verdict.capitalize() in read(page).words


def test_class_features_stand_where_there_are_no_prompts(job):
    shown = text(job, class_features_dataset_id="ds_2", prompt_template=[])
    assert "Class features ds_2" in shown
    assert "Prompt template" not in shown


def test_a_job_without_a_verdict_says_so(job):
    assert "Whether adaptation helped was not judged." in text(job)


def test_a_job_that_has_no_model_yet_has_no_verdict_section(job):
    shown = text(job, status="running", stage="training", model_id=None, selected_step=None, urls={})
    assert "erdict" not in shown
    assert "Step kept" not in shown


@pytest.mark.parametrize(("step", "said"), [(4, "Step kept 4 "), (0, "Step kept 0 (the zero-shot weights)")])
def test_the_step_that_was_kept_is_named(job, step, said):
    assert said in text(job, selected_step=step)


def test_the_class_prior_is_shown_class_by_class_with_its_source(job):
    prior = {"class_prior": [0.5, 0.375, 0.125], "class_prior_source": "estimated"}
    shown = text(job, method=job["method"] | prior)
    assert "estimated from the unlabelled data" in shown
    assert "bird 50.0 % boat 37.5 % cat 12.5 %" in shown
    assert "[0.5" not in shown


@pytest.mark.parametrize("method", [{"class_prior": None, "class_prior_source": "none"}, {"class_prior": "auto"}])
def test_without_a_prior_there_is_no_table_of_it(job, method):
    assert "Class prior" not in text(job, method=job["method"] | method)


def test_a_long_prior_is_folded_and_a_short_one_open(job):
    def page(count: int) -> str:
        method = {"class_prior": [1 / count] * count, "class_prior_source": "uniform"}
        return render_report(job | {"class_names": [str(i) for i in range(count)], "method": method}, [])

    assert "<details open>" in page(30)
    assert "<details>" in page(31)


def test_warnings_and_accuracies_with_intervals_are_shown(job):
    evaluation = {
        "zero_shot_accuracy": 0.5,
        "zero_shot_interval": [0.25, 0.75],
        "adapted_accuracy": 0.625,
        "adapted_interval": [0.375, 0.875],
        "n": 8,
    }
    warnings = [{"code": "small_dataset", "message": "There are only 8 items."}]
    shown = text(job, evaluation=evaluation, warnings=warnings)
    assert "Zero-shot 50.0 % 25.0 % to 75.0 % Adapted 62.5 % 37.5 % to 87.5 % Labelled items 8" in shown
    assert "There are only 8 items. small_dataset" in shown


POINTS = [
    {"threshold": 0.9, "answered": 0.25, "accuracy": 0.98},
    {"threshold": 0.7, "answered": 0.5, "accuracy": 0.95},
    {"threshold": 0.0, "answered": 1.0, "accuracy": 0.81},
]


def curve(proposed: dict[str, float] | None) -> dict[str, Any]:
    return {"points": POINTS, "proposed": proposed}


def test_accuracy_against_share_answered_is_drawn_with_both_axes_named(job):
    abstention = {"wished_accuracy": 0.95, "adapted": curve(POINTS[1]), "zero_shot": curve(None)}
    page = render_report(job | {"abstention": abstention}, [])
    shown = " ".join(read(page).words)
    assert "81.0 % of them are estimated to be right" in shown
    assert "Proposed threshold: 0.7. The share answered would be 50.0 %, of which an estimated 95.0 %" in shown
    assert "share of the items that get a class" in shown
    assert "estimated accuracy" in shown
    assert '<circle cx="340.0"' in page
    assert '<polyline points="200.0,32.0 340.0,62.0 620.0,202.0"/>' in page


def test_the_curve_is_of_the_variant_that_is_served(job):
    abstention = {"wished_accuracy": 0.95, "adapted": curve(POINTS[1]), "zero_shot": curve(None)}
    shown = text(job, fallback="zero_shot", verdict="uncertain", abstention=abstention)
    assert "No threshold is proposed: none is estimated to reach the wished accuracy of 95.0 %" in shown
    abstention["zero_shot"] = curve(POINTS[2] | {"accuracy": 0.96})
    shown = text(job, fallback="zero_shot", verdict="uncertain", abstention=abstention)
    assert "No threshold is needed for the wished accuracy of 95.0 %" in shown


def test_without_a_curve_nothing_is_said_of_it(job):
    assert "None of these" not in text(job, abstention=None)


def test_a_baseline_has_no_curves_and_says_that_nothing_was_trained(job):
    method = {"type": "zero-shot", "tune": "none", "max_steps": 0, "class_prior": None, "class_prior_source": "none"}
    page = render_report(job | {"method": method, "selected_step": 0}, [])
    shown = " ".join(read(page).words)
    assert "<svg" not in page
    assert "Optimiser steps 0" in shown
    assert "Nothing was trained: both variants are the base model." in shown
    assert "Served by default" not in shown


CANDIDATES = [
    {
        "settings": {"tune": "gaussian", "logit_scale": 70.0, "calibrated": None, "temper": 0.02, "presence": True},
        "changed": 0.125,
        "estimated_gain": {"points": 4.2, "low": 1.0, "high": 7.4},
    },
    {
        "settings": {"tune": "calibrate", "logit_scale": 100.0, "calibrated": "mean_logit", "share": 0.5},
        "changed": 0.05,
        "estimated_gain": {"points": -0.5, "low": -3.0, "high": 2.0},
    },
]
CLOSED_FORM = {
    "method": {"type": "closed-form", "tune": "gaussian", "settings": CANDIDATES[0]["settings"]}
    | {"candidates": CANDIDATES, "item_count": 300, "class_prior": None, "class_prior_source": "none", "max_steps": 0},
    "selected_step": 0,
    "verdict": "improved",
    "estimated_gain": CANDIDATES[0]["estimated_gain"],
}


def test_the_estimated_gain_is_told_in_words_with_its_interval(job):
    shown = text(job, **CLOSED_FORM)
    assert "Over zero-shot +4.2 percentage points of accuracy are estimated, without labels" in shown
    assert "between +1.0 and +7.4" in shown
    assert "All of the interval of the estimated gain lies above zero." in shown
    assert "Served by default: the adapted variant" in shown
    assert "Estimated gain" not in text(job)


def test_a_closed_form_has_neither_steps_nor_curves_and_names_what_was_tried(job):
    page = render_report(job | CLOSED_FORM, [])
    shown = " ".join(read(page).words)
    assert "<svg" not in page
    assert "none: a closed form is fitted without steps" in shown
    assert "Optimiser steps" not in shown
    assert "Step kept" not in shown
    assert "gaussian logit scale 70, temper 0.02, presence True 12.5 % +4.2 +1.0 to +7.4" in shown
    assert "calibrate logit scale 100, calibrated mean logit, share 0.5 5.0 % −0.5 −3.0 to +2.0" in shown
    assert "'tune'" not in shown


def test_where_no_closed_form_was_fitted_both_variants_are_said_to_be_the_same(job):
    method = CLOSED_FORM["method"] | {"tune": "none", "settings": None, "candidates": []}
    shown = text(job, method=method, verdict="uncertain", selected_step=0, fallback="zero_shot")
    assert "Served: zero-shot. The base model was kept: both variants are the same." in shown
    assert "Closed forms tried" not in shown


def test_where_the_base_model_was_kept_both_variants_are_said_to_be_the_same(job):
    shown = text(job, verdict="uncertain", verdict_reasons=REASONS, selected_step=0, fallback=None)
    assert "Served: zero-shot. The base model was kept: both variants are the same." in shown
    assert "Served by default" not in shown


def test_the_kept_step_is_marked_in_every_curve(job):
    metrics = [{"step": step, "loss": 1 / step, "transport": 2 / step} for step in range(1, 10)]
    page = render_report(job | {"selected_step": 5}, metrics)
    assert page.count('<line x1="320.0" x2="320.0"') == 2
    assert render_report(job | {"selected_step": 0}, metrics).count('<line x1="0.0"') == 2


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
    assert not reader.elements & {"script", "link", "img", "iframe"}
    assert not reader.attributes & {"src", "href", "onload", "onclick"}
    assert "<polyline" in response.text
    assert "http://" not in response.text
    assert "https://" not in response.text


SUMMARY = PredictionSummary(
    item_count=2000,
    changed=300,
    to_review=40,
    counts=[ClassCount("cat", 1500, 1200), ClassCount("dog", 500, 800)],
    most_changed=[ChangedItem("yard/<i>17.jpg", "0" * 64, None, None, "cat", "dog", 0.97)],
)


def test_counts_before_and_after_and_the_most_changed_items_are_shown(job: dict[str, Any]) -> None:
    page = render_report(job, [], SUMMARY)
    words = " ".join(read(page).words)
    assert "300 of 2,000 items (15.0 %) have another class than by the base model alone. 40 should be" in words
    assert "cat 1,500 1,200 dog 500 800" in words
    assert "yard/<i>17.jpg cat dog 97.0 %" in words
    assert "<i>" not in page


def test_no_review_or_one_of_everything_is_told(job: dict[str, Any]) -> None:
    for count, said in ((0, False), (2000, True)):
        words = " ".join(read(render_report(job, [], replace(SUMMARY, to_review=count))).words)
        assert ("Every item should be looked at" in words) == said
        assert "should be looked at by somebody" not in words


def test_without_predictions_nothing_is_said_of_them(job: dict[str, Any]) -> None:
    assert "Predictions" not in read(render_report(job, [])).words
