"""What a report says of the predictions."""

from dataclasses import replace
from typing import Any

from tests.app.web.report_pages import CHANGED, CONFUSION, POINTS, SUMMARY, curve, read, render, text


def test_a_job_without_an_evaluation_says_why_where_it_knows(job):
    heading = "Which classes are confused"
    assert heading not in text(job)
    shown = text(job, no_evaluation={"code": "labels_match_no_class", "message": "None of the labels is a class."})
    assert f"{heading} None of the labels is a class." in shown


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
