"""`adapt_features`: what is served for every row, and what the loaded model says of the same and of other rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pouf_core
from pouf_core.artifact import load_artifact
from pouf_core.errors import InvalidInput, problems_of
from pouf_core.families.cosine.clip_like import ClipLikeModel
from tests.pouf_core.embeddings import Clusters, clusters

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def data() -> Clusters:
    return clusters(count=600)


@pytest.fixture(scope="module")
def adapted(data: Clusters, tmp_path_factory: pytest.TempPathFactory) -> pouf_core.AdaptationResult:
    return pouf_core.adapt_features(
        data.features[:400], data.class_features, logit_scale=20.0, out=tmp_path_factory.mktemp("adapted") / "model"
    )


def problem(call: Any) -> tuple[str, str | None]:
    with pytest.raises(InvalidInput) as refused:
        call()
    (found,) = problems_of(refused.value)
    return found.code, found.field


def cosine_labels(features: Any, class_features: Any) -> np.ndarray:
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (features, class_features)]
    return (unit[0] @ unit[1].T).argmax(axis=1)


def test_predictions_are_better_than_cosines_in_the_order_of_the_rows(
    data: Clusters, adapted: pouf_core.AdaptationResult
) -> None:
    zero_shot = cosine_labels(data.features, data.class_features)
    assert adapted.predictions.dtype == np.int64
    assert adapted.predictions.shape == (400,)
    assert (adapted.predictions == data.labels[:400]).mean() > (zero_shot == data.labels)[:400].mean() + 0.02
    assert (adapted.verdict, adapted.fallback) == ("improved", None)


@pytest.mark.parametrize("method", [None, {"tune": "gaussian"}, {"tune": "prototypes", "max_steps": 5}])
def test_groups_that_other_encoders_class_features_would_name_get_no_names(
    data: Clusters, method: dict[str, Any] | None
) -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(32, 32))).Q
    foreign = (data.class_features @ rotation).astype(np.float32)
    result = pouf_core.adapt_features(data.features, foreign, method=method)
    assert (result.verdict, result.fallback) == ("uncertain", "zero_shot")
    assert (result.predictions == cosine_labels(data.features, foreign)).all()
    assert "class_features_unrelated" in [warning.code for warning in result.warnings]


def test_the_loaded_model_agrees_on_the_fitted_rows_and_serves_rows_that_it_has_not_seen(
    data: Clusters, adapted: pouf_core.AdaptationResult
) -> None:
    predictor = pouf_core.load(adapted.path)
    assert predictor.class_names == [f"class {index}" for index in range(8)]
    found = [each.class_index for each in predictor.classify(data.features, 2)]
    assert np.array_equal(found[:400], adapted.predictions)
    assert (np.array(found)[400:] == data.labels[400:]).mean() > 0.9
    one_by_one = [each.class_index for each in predictor.predict(list(data.features[400:430]))]
    assert one_by_one == found[400:430]


@pytest.mark.parametrize(
    "convert",
    [
        lambda rows: torch.tensor(rows),
        lambda rows: torch.tensor(rows, requires_grad=True),
        lambda rows: (rows * 3).astype(np.float64),
        lambda rows: np.asfortranarray(rows)[::-1][::-1],
    ],
)
def test_vectors_of_any_kind_and_length_are_classified_alike(
    data: Clusters, adapted: pouf_core.AdaptationResult, convert: Any
) -> None:
    predictor = pouf_core.load(adapted.path)
    assert np.array_equal(predictor.label_indices(convert(data.features[:400])), adapted.predictions)
    scores = [each.score for each in predictor.classify(convert(data.features[:9]))]
    assert np.allclose(scores, [each.score for each in predictor.classify(data.features[:9])], atol=1e-5)


def test_float16_and_several_templates_are_taken(data: Clusters) -> None:
    templates = np.stack([data.class_features, 2 * data.class_features]).astype(np.float16)
    result = pouf_core.adapt_features(data.features.astype(np.float16), torch.tensor(templates), logit_scale=20.0)
    assert (result.predictions == data.labels).mean() > 0.9


def test_rows_that_repeat_get_one_prediction(data: Clusters) -> None:
    rows = np.concatenate([data.features[:50], data.features[:50] * 2, data.features[20:21]])
    result = pouf_core.adapt_features(rows, data.class_features, method={"type": "zero-shot"})
    assert np.array_equal(result.predictions[:50], result.predictions[50:100])
    assert result.predictions[100] == result.predictions[20]
    assert np.array_equal(result.predictions[:50], cosine_labels(data.features[:50], data.class_features))


def test_where_the_verdict_falls_back_zero_shot_is_served(data: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pouf_core.validation.gain.TOLERATED_LOSS", -1e9)  # no gain is sure enough
    result = pouf_core.adapt_features(
        data.features, data.class_features, logit_scale=20.0, method={"tune": "prototypes"}
    )
    assert (result.verdict, result.fallback) == ("uncertain", "zero_shot")
    assert np.array_equal(result.predictions, cosine_labels(data.features, data.class_features))
    predictor = pouf_core.load(result.path)
    assert predictor.served == "zero_shot"
    assert np.array_equal(predictor.label_indices(data.features), result.predictions)
    assert predictor.classify(data.features) == predictor.classify(data.features, variant="zero_shot")
    assert predictor.classify(data.features) != predictor.classify(data.features, variant="adapted")
    vectors = list(data.features[:40])
    assert predictor.predict(vectors) == predictor.predict(vectors, variant="zero_shot")


def test_only_a_threshold_leaves_rows_without_a_class(data: Clusters, adapted: pouf_core.AdaptationResult) -> None:
    assert adapted.predictions.min() == 0
    predictor = pouf_core.load(adapted.path)
    scores = np.array([each.score for each in predictor.classify(data.features[:400])])
    limit = float(np.median(scores))
    again = pouf_core.adapt_features(data.features[:400], data.class_features, logit_scale=20.0, threshold=limit)
    assert 0 < (again.predictions == -1).sum() < 400
    assert np.array_equal(again.predictions, np.where(scores < limit, -1, adapted.predictions))
    assert np.array_equal(predictor.label_indices(data.features[:400], threshold=limit), again.predictions)


def test_the_names_and_the_place_are_the_callers(data: Clusters, tmp_path: Path) -> None:
    names = [f"kind {index}" for index in range(8)]
    result = pouf_core.adapt_features(
        data.features, data.class_features, names, method={"type": "zero-shot"}, seed=7, out=str(tmp_path / "here")
    )
    assert result.path == tmp_path / "here"
    predictor = pouf_core.load(result.path)
    assert (predictor.class_names, predictor.manifest.request.seed) == (names, 7)
    assert predictor.manifest.request.logit_scale == 100.0
    assert predictor.classify(data.features[:1], 8)[0].top_k[0][0] == names[result.predictions[0]]


def test_every_problem_names_the_row_or_the_field(data: Clusters, adapted: pouf_core.AdaptationResult) -> None:
    def with_row(rows: np.ndarray, row: int, value: float) -> np.ndarray:
        changed = rows.copy()
        changed[row] = value
        return changed

    def call(features: Any = data.features, classes: Any = data.class_features, *names: Any, **options: Any) -> Any:
        return lambda: pouf_core.adapt_features(features, classes, *names, **options)

    rows, classes = data.features, data.class_features
    assert problem(call(with_row(rows, 17, 0.0))) == ("embedding_zero", "/features/17")
    assert problem(call(with_row(rows, 599, np.nan))) == ("embedding_not_finite", "/features/599")
    assert problem(call(np.zeros((3, 32)))) == ("embedding_zero", "/features/0")
    assert problem(call(rows[0])) == ("embedding_shape", "/features")
    assert problem(call(rows[:0])) == ("no_usable_items", "/features")
    assert problem(call(["a text"])) == ("wrong_modality", "/features")
    assert problem(call(rows, with_row(classes, 3, 0.0))) == ("embedding_zero", "/class_features/3")
    assert problem(call(rows, with_row(classes, 3, np.inf))) == ("embedding_not_finite", "/class_features/3")
    assert problem(call(rows, classes[:, :31])) == ("class_features_width", "/class_features")
    assert problem(call(rows, classes, "ab")) == ("invalid_class_name", "/class_names")
    assert problem(call(rows, classes, ["a", "b"])) == ("class_features_count", "/class_features")
    assert problem(call(rows, classes[:1])) == ("too_few_classes", "/class_names")
    assert problem(call(logit_scale=0.0)) == ("invalid_request", "/logit_scale")
    assert problem(call(threshold=1.5)) == ("invalid_threshold", "/threshold")
    predictor = pouf_core.load(adapted.path)
    assert problem(lambda: predictor.classify(rows[:, :31])) == ("embedding_width", "/features")
    assert problem(lambda: predictor.classify(with_row(rows, 5, 0.0))) == ("embedding_zero", "/features/5")
    assert problem(lambda: predictor.label_indices(rows, threshold=-0.1)) == ("invalid_threshold", "/threshold")


def test_a_row_that_cannot_be_used_is_found_however_far_down_it_stands(
    data: Clusters, adapted: pouf_core.AdaptationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pouf_core.predictor._SCORES_AT_ONCE", 8 * 7)
    predictor = pouf_core.load(adapted.path)
    assert np.array_equal(predictor.label_indices(data.features[:400]), adapted.predictions)
    rows = data.features.copy()
    rows[123] = np.nan
    assert problem(lambda: predictor.label_indices(rows)) == ("embedding_not_finite", "/features/123")
    assert predictor.classify(rows[:0]) == []
    assert predictor.label_indices(rows[:0]).shape == (0,)


def test_a_result_that_another_function_gave_has_no_predictions(
    data: Clusters, adapted: pouf_core.AdaptationResult
) -> None:
    read = pouf_core.AdaptationResult.model_validate_json(adapted.model_dump_json())
    with pytest.raises(ValueError, match="adapt_features"):
        _ = read.predictions


def test_pictures_and_their_embeddings_are_classified_alike(pouf_lite: ClipLikeModel, tmp_path: Path) -> None:
    """The demo's pictures, as they are and as vectors; class features by the text tower, once named and once given."""
    paths = sorted((EXAMPLES / "clipart" / "images").iterdir())[::27]
    names = ["boat", "computer", "smiley face"]
    zero_shot: Any = {"method": {"type": "zero-shot"}}
    of_pictures = pouf_core.load(pouf_core.adapt(paths, names, base_model=pouf_lite, **zero_shot).path)
    expected = [each.class_index for each in of_pictures.predict(paths)]
    features = of_pictures.embed(paths)
    named = pouf_core.adapt(features, names, base_model=pouf_lite, out=tmp_path / "named", **zero_shot)
    classes = load_artifact(named.path).tensors
    scale = float(classes["logit_scale.zero_shot"].exp())
    given = pouf_core.adapt_features(features, classes["prototypes.zero_shot"], names, logit_scale=scale, **zero_shot)
    assert given.predictions.tolist() == expected
    by_tower = pouf_core.load(named.path)
    assert by_tower.label_indices(features).tolist() == expected
    assert [each.score for each in by_tower.classify(features)] == pytest.approx(
        [each.score for each in of_pictures.predict(paths)], abs=1e-5
    )
