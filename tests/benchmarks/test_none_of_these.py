"""What the benchmark of items of no class makes of tasks whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gain_tasks import FeatureTask
from none_of_these import cells_of, curve_errors, measure, measure_trained, summarise, trained_errors
from torch.nn.functional import normalize

from tests.pouf_core.embeddings import clusters


@pytest.fixture
def task() -> FeatureTask:
    data = clusters(count=240, classes=8, displaced=0.8)
    features, prototypes = (normalize(torch.from_numpy(rows), dim=1) for rows in (data.features, data.class_features))
    return FeatureTask("groups", "groups", "pairs", True, features, prototypes, data.labels)


def test_items_of_classes_that_are_taken_out_stay_and_have_no_class(task: FeatureTask) -> None:
    cells = list(cells_of(task, (0.0, 0.25), seeds=2))
    assert [cell.share for cell in cells] == [0.0, 0.25, 0.25]
    assert not cells[0].none.any()
    for cell in cells[1:]:
        assert len(cell.task.labels) == len(cell.task.features) == 240
        assert len(cell.task.prototypes) == 6
        assert cell.none.sum() == 60
        assert set(cell.task.labels[cell.none]) == {-1}
        own = cell.task.prototypes[cell.task.labels[~cell.none]]
        assert torch.equal(own, task.prototypes[task.labels[~cell.none]])
    assert (cells[1].none != cells[2].none).any()


def test_too_few_classes_are_left_out(task: FeatureTask) -> None:
    assert list(cells_of(task, (0.9,), seeds=1)) == []


def test_groups_far_apart_are_told_from_items_of_no_class(task: FeatureTask) -> None:
    whole, part = (measure(cell) for cell in cells_of(task, (0.0, 0.25), seeds=1))
    assert "auroc" not in whole
    assert part["auroc"]["none_score (served)"] > 0.8
    assert part["right"]["score"] > 0.6
    for point in whole["curve"]:
        assert point["estimated"] == pytest.approx(point["true"], abs=0.1)
    assert part["curve"][-1]["true"] < whole["curve"][-1]["true"]
    summary = summarise([whole, part])
    assert summary["families"]["choosing half"] == ["groups"]
    assert summary["auroc"]["reported half"] == {}
    served = summary["auroc"]["all"]["none_score (served)"]
    assert served["mean"] == served["25% taken out"] == part["auroc"]["none_score (served)"]


def test_errors_are_means_over_families() -> None:
    def cell(family: str, estimated: float, proposed: dict[str, float] | None) -> dict[str, object]:
        point = {"estimated": estimated, "true": 0.8}
        return {"family": family, "share": 0.0, "curve": [point] * 4, "proposed": proposed}

    proposed = {"answered": 0.5, "estimated": 0.95, "true": 0.9, "none_answered": 0.25}
    found = curve_errors([cell("a", 0.9, proposed), cell("a", 0.9, None), cell("b", 0.6, None)])
    assert found["errors"]["70% answered"] == pytest.approx({"absolute": 0.15, "signed": -0.05, "true": 0.8})
    assert found["proposed"]["share_of_cells"] == pytest.approx(1 / 3)
    assert found["proposed"]["none_answered"] == 0.25
    assert np.isnan(curve_errors([])["errors"]["50% answered"]["absolute"])


def test_trained_prototypes_are_measured_as_trained_and_as_served(task: FeatureTask) -> None:
    found = measure_trained(task, "prototypes")
    assert found is not None
    assert (found["family"], found["row"]) == ("groups", "pairs")
    assert found["as_served"] != found["as_trained"]
    errors = trained_errors([found, {**found, "family": "others", "row": "pouf-lite", "as_served": 0.5}])
    assert errors["pairs"]["as_served"] == pytest.approx(found["as_served"])
    assert errors["all"]["as_served"] == pytest.approx((found["as_served"] + 0.5) / 2)
