"""The curve of accuracy against share answered, and the threshold that it proposes."""

from __future__ import annotations

import pytest
import torch

from pouf_core.validation.abstention import answer_curve

SCORES = torch.tensor([0.9, 0.5, 0.7, 0.3])
CONFIDENCE = torch.tensor([1.0, 0.6, 0.8, 0.2])


def test_the_surest_items_are_answered_first() -> None:
    points = answer_curve(SCORES, CONFIDENCE, 0.9).points
    assert [point.answered for point in points] == [0.25, 0.5, 0.75, 1.0]
    assert [point.accuracy for point in points] == pytest.approx([1.0, 0.9, 0.8, 0.65])
    assert [point.threshold for point in points] == pytest.approx([0.8, 0.6, 0.4, 0.0])


def test_the_proposal_answers_as_many_as_the_wished_accuracy_allows() -> None:
    proposed = answer_curve(SCORES, CONFIDENCE, 0.79).proposed
    assert proposed is not None
    assert (proposed.answered, proposed.threshold) == pytest.approx((0.75, 0.4))
    everything = answer_curve(SCORES, CONFIDENCE, 0.6).proposed
    assert everything is not None
    assert (everything.answered, everything.threshold) == (1.0, 0.0)
    assert answer_curve(SCORES, 0.9 * CONFIDENCE, 0.95).proposed is None


def test_items_of_one_score_are_answered_all_or_none() -> None:
    scores = torch.tensor([1.0, 1.0, 1.0, 0.5])
    curve = answer_curve(scores, torch.tensor([1.0, 0.9, 0.8, 0.0]), 0.95)
    assert [point.answered for point in curve.points] == [0.75, 1.0]
    assert curve.proposed is None  # the first of the three alone would do
    for point in curve.points:
        assert (scores >= point.threshold).double().mean().item() == point.answered


def test_a_threshold_answers_the_share_that_it_says() -> None:
    scores = torch.rand(997, generator=torch.Generator().manual_seed(0))
    curve = answer_curve(scores, scores, 0.8)
    assert len(curve.points) == 20
    assert curve.proposed is not None
    for point in [*curve.points, curve.proposed]:
        answered = scores >= point.threshold
        assert answered.double().mean().item() == pytest.approx(point.answered)
        assert scores[answered].double().mean().item() == pytest.approx(point.accuracy)
    assert curve.proposed.accuracy >= 0.8


def test_a_single_item_has_a_curve_of_one_point() -> None:
    (point,) = answer_curve(torch.tensor([0.4]), torch.tensor([0.7]), 0.9).points
    assert (point.threshold, point.answered) == (0.0, 1.0)
