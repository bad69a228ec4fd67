"""What a report says of whether the adaptation helped, and of what is served."""

from dataclasses import replace
from typing import Any

import pytest

from tests.app.web.report_pages import (
    EVALUATION,
    HARMFUL,
    REASONS,
    SUMMARY,
    WORSE,
    audit,
    main_part,
    read,
    render,
    text,
)

BETTER = EVALUATION | {"zero_shot_accuracy": 0.45, "adapted_accuracy": 0.55}


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


def test_warnings_and_what_labels_say_are_shown(job):
    warnings = [{"code": "small_dataset", "message": "There are only 8 items."}]
    shown = text(job, evaluation=WORSE, warnings=warnings)
    assert "On the 100 items with labels, 60.0 % were right before, and 50.0 % are right after adaptation" in shown
    assert "(40.0 % to 61.0 % with a confidence of 95 %)" in shown
    assert "There are only 8 items." in shown


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


@pytest.mark.parametrize(
    ("changed", "said"), [(0, "none of 2,000 items got"), (40, "40 of 2,000 items got"), (41, None)]
)
def test_a_verdict_that_it_helped_says_where_hardly_anything_changed(
    job: dict[str, Any], changed: int, said: str | None
) -> None:
    shown = main_part(render(job | {"verdict": "improved"}, predictions=replace(SUMMARY, changed=changed)))
    assert ("cannot have helped much" in shown) == (said is not None)
    assert said is None or f"It cannot have helped much here: {said} another class." in shown
