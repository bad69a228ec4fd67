"""The report page, from documents to what a person reads."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from app.web.predictions import ClassCount, Confusion, Guess, Mistake, PredictionSummary, ShownItem
from app.web.report import ReportParts, render_report
from pouf_core.contract.findings import finding
from pouf_core.contract.result import PartialResult
from store.tables import Job, JobMetric

#: Of the method; nobody who has not read of it knows them.
OPAQUE = re.compile(
    r"class[ _]prior|prototype|transport|marginal|entropy|anchor|\bviews?\b|above chance|\bnats\b|[a-z]+_[a-z0-9]+"
)
EVALUATION = {"zero_shot_interval": [0.5, 0.7], "adapted_interval": [0.4, 0.61], "n": 100, "unmatched": 0}
BETTER = EVALUATION | {"zero_shot_accuracy": 0.45, "adapted_accuracy": 0.55}
WORSE = EVALUATION | {"zero_shot_accuracy": 0.6, "adapted_accuracy": 0.5}
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
        "model_deleted": False,
        "error": None,
        "warnings": [],
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": None,
        "finished_at": None,
        "urls": {"predict": "/v1/models/mdl_1/predict"},
    }


def render(job: dict[str, Any], **parts: Any) -> str:
    return render_report(job, ReportParts(**parts))


def text(job: dict[str, Any], **changes: Any) -> str:
    return " ".join(read(render(job | changes)).words)


def main_part(page: str) -> str:
    """What a person reads, without the raw settings."""
    return " ".join(read(page[: page.index('<section id="raw-settings">')]).words)


def test_a_job_without_an_evaluation_says_why_where_it_knows(job):
    heading = "Which classes are confused"
    assert heading not in text(job)
    shown = text(job, no_evaluation={"code": "labels_match_no_class", "message": "None of the labels is a class."})
    assert f"{heading} None of the labels is a class." in shown


def test_a_harmful_adaptation_shows_its_reasons_and_how_to_ask_for_it(job):
    shown = text(job, **HARMFUL)
    assert "Adaptation would have made it worse" in shown
    assert "2 of 3 classes are not predicted any more." in shown
    assert 'base model is used as it is, unless a program asks for the other one ("variant": "adapted")' in shown
    assert "classes_vanished" in shown[shown.index("Raw settings") :]


@pytest.mark.parametrize(("verdict", "word"), [("improved", "seems to have helped"), ("uncertain", "not clear")])
def test_a_trusted_adaptation_is_served_and_zero_shot_is_there_on_request(job, verdict, word):
    shown = text(job, verdict=verdict, verdict_reasons=REASONS)
    assert word in shown
    assert REASONS[0]["message"] in shown
    assert 'The adapted model is used, unless a program asks for the base model alone ("variant": "zero_shot")' in shown


@pytest.mark.parametrize("verdict", ["improved", "uncertain", "harmful"])
def test_a_verdict_has_a_colour_and_a_word(job, verdict):
    page = render(job | {"verdict": verdict})
    assert f'<section class="verdict {verdict}"' in page


def test_a_job_without_a_verdict_says_so(job):
    assert "Whether adaptation helped was not judged" in text(job)


def test_a_job_that_has_no_model_yet_has_no_verdict_section(job):
    shown = text(job, status="running", stage="training", model_id=None, selected_step=None, urls={})
    assert "verdict" not in shown
    assert "Step that was kept" not in shown


@pytest.mark.parametrize(("step", "said"), [(4, "kept 4 "), (0, "kept 0 (the base model as it is)")])
def test_the_step_that_was_kept_is_named(job, step, said):
    shown = " ".join(read(render(job | {"selected_step": step}, metrics=METRICS)).words)
    assert f"Steps of training 9 Step that was {said}" in shown


METRICS = [{"step": step, "loss": 1 / step, "transport": 2 / step} for step in range(1, 10)]


def test_expected_shares_are_shown_class_by_class_with_their_source(job):
    prior = {"class_prior": [0.5, 0.375, 0.125], "class_prior_source": "estimated"}
    shown = text(job, method=job["method"] | prior)
    assert "Estimated from the data. 3 classes bird 50.0 % boat 37.5 % cat 12.5 %" in shown
    assert "[0.5" not in shown


@pytest.mark.parametrize("method", [{"class_prior": None, "class_prior_source": "none"}, {"class_prior": "auto"}])
def test_without_a_prior_there_is_no_table_of_it(job, method):
    assert "Expected share" not in text(job, method=job["method"] | method)


def test_warnings_and_what_labels_say_are_shown(job):
    warnings = [{"code": "small_dataset", "message": "There are only 8 items."}]
    shown = text(job, evaluation=WORSE, warnings=warnings)
    assert "On the 100 items with labels, 60.0 % were right before, and 50.0 % are right after adaptation" in shown
    assert "(40.0 % to 61.0 % with a confidence of 95 %)" in shown
    assert "There are only 8 items." in shown


def audit(difference: float) -> dict[str, Any]:
    one = {"value": 0.5, "interval": [0.4, 0.6]}
    found = {"zero_shot": one, "adapted": one, "difference": {"value": difference, "interval": [-0.2, -0.01]}}
    found |= {"classes": [], "wished_accuracy": 0.95, "threshold": None, "more_answers": None}
    counts = {"answered": 40, "none_of_these": 0, "cant_tell": 0, "disputed": 0}
    about = {"created_at": "2026-01-01", "size": 40, "people": 1, "applied": None, "proposal": None}
    return {"counts": counts, "estimate": found, **about}


@pytest.mark.parametrize(
    ("evaluation", "audits", "sentences"),
    [
        (WORSE, [], ["These labels do not confirm that it helped; the difference is small enough to be chance."]),
        (WORSE | {"adapted_interval": [0.4, 0.59]}, [], ["These labels do not confirm that it helped."]),
        (None, [audit(-0.1)], ["What people found in the last review does not confirm that it helped."]),
        (WORSE | {"zero_shot_accuracy": 0.5}, [], ["These labels do not confirm that it helped."]),
        (BETTER, [audit(0.1), audit(-0.1)], []),
    ],
)
def test_figures_that_speak_against_improved_are_not_passed_over(job, evaluation, audits, sentences):
    gain = {"points": 4.2, "low": 1.0, "high": 7.4}
    improved = job | {"verdict": "improved", "evaluation": evaluation, "estimated_gain": gain}
    shown = main_part(render(improved, audits=audits))
    for sentence in sentences:
        assert shown.index("seems to have helped") < shown.index(sentence)
    assert ("not confirm" in shown) == bool(sentences)


POINTS = [
    {"threshold": 0.9, "answered": 0.25, "accuracy": 0.98},
    {"threshold": 0.7, "answered": 0.5, "accuracy": 0.95},
    {"threshold": 0.0, "answered": 1.0, "accuracy": 0.81},
]


def curve(proposed: dict[str, float] | None) -> dict[str, Any]:
    return {"points": POINTS, "proposed": proposed}


def test_accuracy_against_share_answered_is_drawn_with_both_axes_named(job):
    abstention = {"wished_accuracy": 0.95, "adapted": curve(POINTS[1]), "zero_shot": curve(None)}
    page = render(job | {"abstention": abstention})
    shown = " ".join(read(page).words)
    assert "Proposed is a threshold of 0.7: 50.0 % of the items would get a class, and an estimated 95.0 %" in shown
    assert "share of the items that get a class" in shown
    assert "estimated accuracy" in shown
    assert page.count("<circle") == 1


def test_the_curve_is_of_the_variant_that_is_served(job):
    abstention = {"wished_accuracy": 0.95, "adapted": curve(POINTS[1]), "zero_shot": curve(None)}
    shown = text(job, fallback="zero_shot", verdict="uncertain", abstention=abstention)
    assert "No threshold is proposed: none is estimated to reach the wished accuracy of 95.0 %" in shown
    abstention["zero_shot"] = curve(POINTS[2] | {"accuracy": 0.96})
    shown = text(job, fallback="zero_shot", verdict="uncertain", abstention=abstention)
    assert "No threshold is needed for the wished accuracy of 95.0 %" in shown


def test_without_a_curve_nothing_is_said_of_it(job):
    assert "threshold" not in text(job, abstention=None)


def test_a_baseline_has_no_curves_and_says_that_nothing_was_adapted(job):
    method = {"type": "zero-shot", "tune": "none", "max_steps": 0, "class_prior": None, "class_prior_source": "none"}
    page = render(job | {"method": method, "selected_step": 0})
    shown = " ".join(read(page).words)
    assert "<svg" not in page
    assert "Nothing was adapted: the base model is used as it is." in shown
    assert "unless a program asks" not in shown


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
    assert "Of 100 items, 4.2 more are estimated to get the right class than by the base model alone" in shown
    assert "between +1.0 and +7.4" in shown
    assert "estimated to get the right class" not in text(job)


def test_a_closed_form_has_neither_steps_nor_curves_and_names_what_was_tried(job):
    page = render(job | CLOSED_FORM)
    shown = " ".join(read(page).words)
    assert "none was needed" in shown
    assert "Steps of training" not in shown
    assert "gaussian logit scale 70, temper 0.02, presence true 12.5 % +4.2 +1.0 to +7.4" in shown
    assert "calibrate logit scale 100, calibrated mean logit, share 0.5 5.0 % −0.5 −3.0 to +2.0" in shown
    assert "'tune'" not in shown


def test_a_closed_form_that_was_passed_over_says_why(job):
    reason = "Passed over: it gives back what a mixture without presence changed."
    last = CANDIDATES[0] | {"passed_over": True}
    method = CLOSED_FORM["method"] | {"candidates": [CANDIDATES[1], last]}
    assert f"presence true {reason} 12.5 %" in text(job, **CLOSED_FORM | {"method": method})
    assert reason not in text(job, **CLOSED_FORM)


def test_where_the_base_model_was_kept_it_is_said_to_be_used(job):
    method = CLOSED_FORM["method"] | {"tune": "none", "settings": None, "candidates": []}
    closed_form = {"method": method, "verdict": "uncertain", "selected_step": 0, "fallback": "zero_shot"}
    trained = {"verdict": "uncertain", "verdict_reasons": REASONS, "selected_step": 0, "fallback": None}
    for kept in (closed_form, trained):
        shown = text(job, **kept)
        assert "The base model was kept: it is used as it is." in shown
        assert "Closed forms tried" not in shown


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


CHANGED = ShownItem("yard/<i>17.jpg", "0" * 64, None, None, Guess("cat", 0.64), Guess("dog", 0.97))
SUMMARY = PredictionSummary(
    dataset_id="ds_1",
    item_count=2000,
    changed=300,
    to_review=40,
    counts=[ClassCount("cat", 1500, 1200), ClassCount("dog", 500, 800)],
    most_changed=[CHANGED],
    probabilities=[0] * 19 + [2000],
)
CONFUSION = Confusion(50, 41, ["cat", "dog"], [[20, 7], [2, 21]], [Mistake("cat", "<b>dog", 7)])


def test_counts_before_and_after_and_the_most_changed_items_are_shown(job: dict[str, Any]) -> None:
    picture = "data:image/jpeg;base64,AAAA"
    page = render(job, predictions=SUMMARY, examples=[CHANGED], pictures={CHANGED.sha256: picture})
    words = " ".join(read(page).words)
    assert "300 of 2,000 items (15.0 %) got another class than the base model gave them." in words
    assert "unsure of 40 items; a person should look at those." in words
    assert "cat 1,500 1,200 dog 500 800" in words
    assert "Before cat 64.0 % Now dog 97.0 % <i>17.jpg" in words
    assert page.count(f'src="{picture}"') == 2
    assert "<i>" not in page


def test_how_sure_the_model_is_is_drawn_with_both_axes_named(job: dict[str, Any]) -> None:
    words = " ".join(read(render(job, predictions=SUMMARY)).words)
    assert "probability of the class, from … %" in words
    assert "95 to 100 % 2,000" in words


def test_which_classes_are_confused_is_told_where_there_are_labels(job: dict[str, Any]) -> None:
    words = " ".join(read(render(job, confusion=CONFUSION)).words)
    assert "41 of the 50 items whose label is a class got that class (82.0 %)" in words
    assert "cat <b>dog 7" in words
    assert "cat 20 7 dog 2 21" in words


def test_no_review_or_one_of_everything_is_told(job: dict[str, Any]) -> None:
    for count, said in ((0, False), (2000, True)):
        words = " ".join(read(render(job, predictions=replace(SUMMARY, to_review=count))).words)
        assert ("Every item should be looked at" in words) == said
        assert "a person should look at those" not in words


def test_without_predictions_nothing_is_said_of_them(job: dict[str, Any]) -> None:
    assert "Items of each class" not in " ".join(read(render(job)).words)


@pytest.mark.parametrize(
    ("changed", "said"), [(0, "none of 2,000 items got"), (40, "40 of 2,000 items got"), (41, None)]
)
def test_a_verdict_that_it_helped_says_where_hardly_anything_changed(
    job: dict[str, Any], changed: int, said: str | None
) -> None:
    shown = main_part(render(job | {"verdict": "improved"}, predictions=replace(SUMMARY, changed=changed)))
    assert ("cannot have helped much" in shown) == (said is not None)
    assert said is None or f"It cannot have helped much here: {said} another class." in shown
