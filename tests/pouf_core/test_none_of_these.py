"""Items of no class: their score, and what adaptations, artifacts and predictions make of a threshold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import pouf_core
from pouf_core import artifact
from pouf_core.errors import InvalidInput
from pouf_core.none_of_these import none_scores, similarity_levels
from tests.pouf_core.embeddings import Clusters, clusters


@pytest.fixture(scope="module")
def data() -> Clusters:
    return clusters(count=600, classes=12, width=16)


@pytest.fixture(scope="module")
def adapted(data: Clusters, tmp_path_factory: pytest.TempPathFactory) -> pouf_core.AdaptationResult:
    return pouf_core.adapt_features(
        data.features,
        data.class_features,
        logit_scale=20.0,
        threshold="auto",
        wished_accuracy=0.9,
        out=tmp_path_factory.mktemp("adapted") / "model",
    )


def test_the_score_is_the_share_of_items_that_are_more_similar() -> None:
    similarity = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    levels = similarity_levels(similarity)
    shares = (similarity[None] > similarity[:, None]).double().mean(dim=1)
    assert torch.allclose(none_scores(similarity, levels), shares, atol=0.01)
    assert none_scores(torch.tensor([-1.0, 1.0]), levels).tolist() == [1.0, 0.0]


def test_items_of_no_class_score_higher(data: Clusters, adapted: pouf_core.AdaptationResult) -> None:
    predictor = pouf_core.load(adapted.path)
    strangers = np.random.default_rng(1).normal(size=(200, data.features.shape[1])).astype(np.float32)
    for variant in ("adapted", "zero_shot"):
        own, strange = (
            np.array([each.none_score for each in predictor.classify(rows, variant=variant, threshold=0)])
            for rows in (data.features, strangers)
        )
        assert own.mean() == pytest.approx(0.5, abs=0.01)
        assert strange.mean() > 0.65
        assert 0 <= strange.min() <= strange.max() <= 1


def test_a_model_abstains_below_the_proposed_threshold_where_that_was_asked_for(
    data: Clusters, adapted: pouf_core.AdaptationResult
) -> None:
    assert adapted.abstention is not None
    assert adapted.abstention.wished_accuracy == 0.9
    assert adapted.fallback is None
    proposed = adapted.abstention.adapted.proposed
    assert proposed is not None
    assert proposed.accuracy >= 0.9
    answered = adapted.predictions >= 0
    assert answered.mean() == pytest.approx(proposed.answered, abs=0.002)
    assert 0 < proposed.answered < 1
    everything = pouf_core.load(adapted.path).label_indices(data.features, threshold=0.0)
    right = everything == data.labels
    assert right[answered].mean() > right.mean() + 0.03


def test_a_prediction_below_the_threshold_keeps_its_score_and_its_classes(
    data: Clusters, adapted: pouf_core.AdaptationResult
) -> None:
    predictor = pouf_core.load(adapted.path)
    limit = predictor.threshold_of()
    found = predictor.classify(data.features, top_k=2)
    everything = predictor.classify(data.features, top_k=2, threshold=0.0)
    assert predictor.classify(data.features, top_k=2, threshold="auto") == found
    assert predictor.predict(list(data.features[:50]), top_k=2) == found[:50]
    for one, whole in zip(found, everything, strict=True):
        assert (one.score, one.top_k, one.none_score) == (whole.score, whole.top_k, whole.none_score)
        assert whole.label is not None
        expected = (None, None) if one.score < limit else (whole.label, whole.class_index)
        assert (one.label, one.class_index) == expected
    assert [one.class_index if one.label else -1 for one in found] == adapted.predictions.tolist()


def test_every_variant_has_a_proposal_of_its_own(data: Clusters, adapted: pouf_core.AdaptationResult) -> None:
    predictor = pouf_core.load(adapted.path)
    assert adapted.abstention is not None
    curve = adapted.abstention.zero_shot
    for point in curve.points:
        found = predictor.label_indices(data.features, threshold=point.threshold, variant="zero_shot")
        assert (found >= 0).mean() == pytest.approx(point.answered, abs=0.002)


@pytest.mark.parametrize(("preset", "calibrated"), [("default", True), ("paper", False)])
def test_what_was_trained_is_as_sure_as_it_is_expected_to_be_right(
    data: Clusters, preset: str, calibrated: bool
) -> None:
    result = pouf_core.adapt_features(
        data.features,
        data.class_features,
        logit_scale=100.0,
        method={"tune": "prototypes", "preset": preset, "max_steps": 8, "selection": "last"},
    )
    assert result.abstention is not None
    assert result.selected_step == 8
    predictor = pouf_core.load(result.path)
    sure = np.mean([one.score for one in predictor.classify(data.features, variant="adapted")])
    expected = result.abstention.adapted.points[-1].accuracy
    assert (sure == pytest.approx(expected, abs=0.01)) == calibrated
    assert ("adapted" in predictor.manifest.confidence) == calibrated
    as_trained = predictor.variant("adapted").classifier(predictor.embed(list(data.features))).class_logits
    assert predictor.label_indices(data.features, variant="adapted").tolist() == as_trained.argmax(dim=1).tolist()


def test_where_no_threshold_reaches_the_accuracy_none_is_proposed(data: Clusters) -> None:
    result = pouf_core.adapt_features(
        data.features, data.class_features, logit_scale=20.0, threshold="auto", wished_accuracy=1.0
    )
    assert result.abstention is not None
    assert result.abstention.adapted.proposed is None
    assert "threshold_not_proposed" in [warning.code for warning in result.warnings]
    assert result.predictions.min() == 0
    predictor = pouf_core.load(result.path)
    assert predictor.threshold_of() == 0.0
    with pytest.raises(InvalidInput) as refused:
        predictor.classify(data.features, threshold="auto")
    assert (refused.value.code, refused.value.field) == ("threshold_not_proposed", "/threshold")


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), "high"])
def test_what_is_no_probability_is_refused(
    data: Clusters, adapted: pouf_core.AdaptationResult, threshold: float | str
) -> None:
    predictor = pouf_core.load(adapted.path)
    with pytest.raises(InvalidInput) as refused:
        predictor.classify(data.features, threshold=threshold)  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.field) == ("invalid_threshold", "/threshold")


def test_a_single_item_has_no_curve(data: Clusters) -> None:
    assert pouf_core.adapt_features(data.features[:1], data.class_features).abstention is None


def test_a_model_of_a_version_without_any_of_this_answers_as_ever(
    data: Clusters, adapted: pouf_core.AdaptationResult, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(adapted.path, old)
    manifest = json.loads((old / artifact.MANIFEST).read_text())
    del manifest["abstention"], manifest["similarity_levels"]
    del manifest["request"]["threshold"], manifest["request"]["wished_accuracy"]
    (old / artifact.MANIFEST).write_text(json.dumps(manifest))
    (old / artifact.SUMS).write_text(artifact._sums(old))
    predictor = pouf_core.load(old)
    found = predictor.classify(data.features)
    assert all(one.label is not None and one.none_score is None for one in found)
    new = pouf_core.load(adapted.path).classify(data.features, threshold=0.0)
    assert [(one.label, one.score) for one in found] == [(one.label, one.score) for one in new]
