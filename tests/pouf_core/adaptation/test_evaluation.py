"""What labels say of predictions, and what is said where they say nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from pouf_core.adaptation.evaluation import evaluate
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.reporting import Reporter
from pouf_core.contract.findings import Finding
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import Evaluation
from pouf_core.data.items import Item
from pouf_core.families.registry import describe
from pouf_core.feature_cache.cache import FeatureCache


@pytest.fixture
def reporter() -> Reporter:
    return Reporter(lambda _: None, lambda: None)


def evaluated(
    reporter: Reporter, labels: Sequence[str], classes: Sequence[str] = ("circle", "square")
) -> tuple[Evaluation | None, Finding | None]:
    """Of items that zero-shot gives the first class and the adapted model the second."""
    checked = AdaptationRequest.of(class_names=list(classes)).check(describe("pouf-lite"))
    items = [Item(str(index), "") for index in range(max(len(labels), 4))]
    inputs = RunInputs(checked, items, FeatureCache(), reporter)
    said = {str(index): label for index, label in enumerate(labels)}
    first = torch.zeros(len(items), dtype=torch.int64)
    return evaluate(inputs, said, first, first + 1)


def test_labels_that_match_no_class_are_counted_and_listed_and_not_used(reporter: Reporter) -> None:
    evaluation, reason = evaluated(reporter, ["circle", "Square", "unicorn", "dragon", "unicorn"])
    assert evaluation is not None
    assert reason is None
    assert (evaluation.n, evaluation.unmatched) == (2, 3)
    assert (evaluation.zero_shot_accuracy, evaluation.adapted_accuracy) == (0.5, 0.5)
    [warning] = reporter.warnings
    assert warning.code == "labels_unmatched"
    assert "3 of the 5" in warning.message
    assert "'unicorn', 'dragon'" in warning.message


def test_where_no_label_is_a_class_the_reason_lists_them(reporter: Reporter) -> None:
    albums = [f"Urlaub {year}" for year in range(2000, 2030)]
    evaluation, reason = evaluated(reporter, albums)
    assert evaluation is None
    assert reason is not None
    assert reason.code == "labels_match_no_class"
    assert "'Urlaub 2000'" in reason.message
    assert "and 20 more" in reason.message
    assert reporter.warnings == [reason]


def test_data_without_labels_has_a_reason_and_no_warning(reporter: Reporter) -> None:
    evaluation, reason = evaluated(reporter, [])
    assert evaluation is None
    assert reason is not None
    assert reason.code == "no_labels"
    assert reporter.warnings == []
