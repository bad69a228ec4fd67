"""What the benchmark of trust makes of runs whose figures can be worked out by hand."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from trust_report import save_plot, summarise

Answers = tuple[list[int], float]  # predicted classes, and one score for all of them
LABELS = [0] * 20 + [1] * 20
RIGHT, ALL_ZERO, ALL_ONE = list(LABELS), [0] * 40, [1] * 40


def _run(zero_shot: Answers, adapted: Answers, verdict: str = "improved", **changes: Any) -> dict[str, Any]:
    variants = {"zero_shot": zero_shot, "adapted": adapted}
    return {
        "task": "animals",
        "skew": "balanced",
        "method": "default",
        "seed": 0,
        "labels": LABELS,
        "served": "adapted",
        "verdict": verdict,
        "judged_by": {"ratio": 1.23456},
        **{name: {"predicted": rows, "score": [score] * len(rows)} for name, (rows, score) in variants.items()},
        **changes,
    }


def test_a_gain_is_what_is_served_less_zero_shot_in_points_with_a_paired_interval() -> None:
    (cell,) = summarise([_run((ALL_ZERO, 0.5), (RIGHT, 1.0))])["cells"]
    assert cell["gain_points"] == 50
    low, high = cell["gain_interval"]
    assert 30 < low < 40 < 60 < high < 70  # 40 pairs, half of them gains: 50 ± 1.96 * 50 / sqrt(40)
    assert (cell["zero_shot"]["accuracy"], cell["served"]["accuracy"], cell["adapted"]["accuracy"]) == (50, 100, 100)
    assert cell["structure"] == [1.235]


def test_answers_that_all_agree_have_an_interval_of_no_width() -> None:
    (cell,) = summarise([_run((RIGHT, 1.0), (RIGHT, 1.0))])["cells"]
    assert (cell["gain_points"], cell["gain_interval"]) == (0, [0, 0])


def test_the_seeds_of_a_cell_are_pooled() -> None:
    runs = [_run((ALL_ZERO, 0.5), (RIGHT, 1.0), seed=1), _run((ALL_ZERO, 0.5), (ALL_ZERO, 0.5), seed=0)]
    (cell,) = summarise(runs)["cells"]
    assert (cell["seeds"], cell["items"]) == ([0, 1], [40, 40])
    assert cell["gain_points"] == 25
    assert cell["served"]["accuracy"] == 75


def test_a_run_that_fell_back_gains_nothing_whatever_the_adapted_model_does() -> None:
    summary = summarise([_run((RIGHT, 1.0), (ALL_ZERO, 0.5), verdict="harmful", served="zero_shot")])
    (cell,) = summary["cells"]
    assert (cell["gain_points"], cell["served"]["accuracy"], cell["adapted"]["accuracy"]) == (0, 100, 50)
    assert summary["means"]["default"]["harmed_cells"] == []


def test_cells_are_harmed_or_helped_where_the_whole_interval_says_so() -> None:
    one_less = [1, *LABELS[1:]]  # one of 40 is lost: too few to tell
    runs = [
        _run((RIGHT, 1.0), (ALL_ZERO, 0.5), skew="1:10"),
        _run((ALL_ZERO, 0.5), (RIGHT, 1.0), skew="1:50"),
        _run((RIGHT, 1.0), (one_less, 1.0), skew="balanced"),
    ]
    means = summarise(runs)["means"]["default"]
    assert means["cells"] == 3
    assert means["harmed_cells"] == ["animals, 1:10"]
    assert means["helped_cells"] == 1
    assert means["gain_points_by_skew"] == {"balanced": -2.5, "1:10": -50, "1:50": 50}
    assert means["gain_points"] == pytest.approx(-2.5 / 3)


def test_a_verdict_counts_where_labels_can_decide_and_is_right_where_it_agrees() -> None:
    runs = [
        _run((ALL_ZERO, 0.5), (RIGHT, 1.0), verdict="improved"),
        _run((ALL_ZERO, 0.5), (RIGHT, 1.0), verdict="uncertain"),
        _run((RIGHT, 1.0), (ALL_ZERO, 0.5), verdict="improved"),
        _run((RIGHT, 1.0), (ALL_ZERO, 0.5), verdict="harmful", served="zero_shot"),
        _run((ALL_ZERO, 0.5), (ALL_ONE, 0.5), verdict="harmful"),  # as many gains as losses: nobody can tell
    ]
    assert summarise(runs)["verdicts"]["default"] == {
        "runs": 5,
        "given": {"improved": 2, "uncertain": 1, "harmful": 2},
        "labels_can_decide": 4,
        "right": 2,
    }


def test_the_default_is_compared_with_the_last_step_of_a_recipe_on_the_cells_of_both() -> None:
    runs = [
        _run((ALL_ZERO, 0.5), (RIGHT, 1.0), skew="balanced"),
        _run((ALL_ZERO, 0.5), (RIGHT, 1.0), skew="1:10"),
        _run((ALL_ZERO, 0.5), (RIGHT, 1.0), skew="balanced", method="paper"),
        _run((ALL_ZERO, 0.5), (ALL_ZERO, 0.5), skew="1:10", method="paper", served="zero_shot"),
        _run((ALL_ZERO, 0.5), (ALL_ZERO, 0.5), skew="1:50", method="paper"),
    ]
    assert summarise(runs)["against_default"] == {"paper": {"cells": 2, "points": 25, "points_on_skewed": 50}}


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_are_there() -> None:
    labels = [0] * 30 + [2] * 10  # class 1 is absent
    predicted = [0] * 24 + [1] * 6 + [2] * 5 + [1] * 5
    (cell,) = summarise([_run((labels, 1.0), (predicted, 1.0), labels=labels)])["cells"]
    assert cell["zero_shot"]["balanced_accuracy"] == 100
    assert cell["served"]["balanced_accuracy"] == pytest.approx(100 * (24 / 30 + 5 / 10) / 2)


def test_the_calibration_error_is_the_mean_distance_of_scores_from_accuracy_by_bin() -> None:
    run = _run((RIGHT, 1.0), (ALL_ZERO, 0.0))
    # 20 answers between 0.9 and 1, all right: 5 points off; 20 between 0.6 and 0.7, all wrong: 65 points off.
    run["adapted"]["score"] = [0.95] * 20 + [0.65] * 20
    (cell,) = summarise([run])["cells"]
    assert cell["zero_shot"]["calibration_error"] == 0
    assert cell["adapted"]["calibration_error"] == pytest.approx((5 + 65) / 2)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_plot_is_written_even_if_a_skew_has_no_runs(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"gains.{suffix}"
    save_plot(summarise([_run((ALL_ZERO, 0.5), (RIGHT, 1.0)), _run((RIGHT, 1.0), (RIGHT, 1.0), method="paper")]), path)
    if suffix == "png":
        with Image.open(path) as image:
            assert image.width > image.height > 500
    else:
        assert "animals" in path.read_text()
