"""Adaptation in closed form: what `auto` chooses and serves, from vectors, pictures and texts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import pouf_core
from pouf_core.artifact import WEIGHTS, load_artifact
from pouf_core.contract.closed_forms import CLOSED_FORM_TUNES
from pouf_core.data.embeddings import collect_embeddings
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.validation.gain import is_served, passed_over, preference
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.embeddings import Clusters, clusters, stretched, two_cones
from tests.pouf_core.sentence_encoders import save_sentence_encoder

SERVED: dict[str, Any] = {"fallback": "never"}
TEXTS = [f"the {a} movie was {b}" for a in ("great", "good", "bad") for b in ("great", "okay", "terrible", "bad")]
Adapt = Callable[..., pouf_core.AdaptationResult]


@pytest.fixture(scope="module")
def data() -> Clusters:
    return two_cones()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sentence:{save_sentence_encoder(tmp_path_factory.mktemp('encoders') / 'tiny')}"


def served_logits(result: pouf_core.AdaptationResult, features: npt.NDArray[np.float32]) -> torch.Tensor:
    tensors = load_artifact(result.path).tensors
    unit = torch.nn.functional.normalize(torch.tensor(features), dim=1)
    return unit @ tensors["weights.adapted"].T + tensors["bias.adapted"]


def check(result: pouf_core.AdaptationResult) -> None:
    """That a result holds together, whatever the data was."""
    if result.method.type != "closed-form":
        return
    gain = result.estimated_gain
    assert (result.verdict == "improved") == (gain is not None and gain.low > 0)
    if gain is not None:
        assert np.isfinite([gain.low, gain.points, gain.high]).all()
        assert gain.low <= gain.points <= gain.high
    tensors = load_artifact(result.path).tensors
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    candidates = result.method.candidates
    out = passed_over([one.settings for one in candidates], [one.changed for one in candidates])
    assert [one.passed_over for one in candidates] == out
    preferences = [(not last, preference(one.estimated_gain)) for last, one in zip(out, candidates, strict=True)]
    assert preferences == sorted(preferences, reverse=True)


@pytest.mark.parametrize("seed", [0, 1])
def test_by_default_vectors_with_classes_off_their_groups_gain_and_the_gain_is_estimated(seed: int) -> None:
    data = two_cones(seed=seed)
    result = pouf_core.adapt_features(data.features, data.class_features)
    zero_shot = pouf_core.adapt_features(data.features, data.class_features, method={"type": "zero-shot"})
    gained = 100 * (data.accuracy(result.predictions) - data.accuracy(zero_shot.predictions))
    assert (result.method.type, result.verdict, result.fallback) == ("closed-form", "improved", None)
    assert gained > 3
    assert result.estimated_gain is not None
    assert result.estimated_gain.low > 0
    assert result.verdict_reasons[0].code == "estimated_gain"
    assert len({one.settings.tune for one in result.method.candidates}) == len(CLOSED_FORM_TUNES)
    check(result)


def test_where_no_gain_is_sure_zero_shot_is_served() -> None:
    random = np.random.default_rng(0)
    result = pouf_core.adapt_features(random.normal(size=(300, 32)), random.normal(size=(5, 32)))
    assert result.estimated_gain is not None
    assert not is_served(result.estimated_gain)
    assert result.verdict in ("uncertain", "harmful")
    assert result.fallback == "zero_shot"
    predictor = pouf_core.load(result.path)
    assert predictor.served == "zero_shot"
    check(result)


@pytest.mark.parametrize(("seed", "gap"), [(0, 2.0), (9, 2.0), (5, 2.5)])
def test_a_collapse_onto_a_few_classes_is_not_served(seed: int, gap: float) -> None:
    data = two_cones(seed=seed, gap=gap)

    result = pouf_core.adapt_features(data.features, data.class_features)

    zero_shot = pouf_core.load(result.path).label_indices(data.features, variant="zero_shot")
    assert data.accuracy(result.predictions) >= data.accuracy(zero_shot)


@pytest.mark.parametrize("tune", ["auto", "propagate"])
def test_a_form_that_undoes_what_a_more_careful_one_changes_is_not_served_however_much_is_expected_of_it(
    tune: str,
) -> None:
    data = stretched(two_cones(400, classes=20, width=32, seed=1, gap=1.0), directions=2, times=5.0)

    result = pouf_core.adapt_features(data.features, data.class_features, method={"tune": tune})

    kept, *others = result.method.candidates
    expected = max(others, key=lambda one: preference(one.estimated_gain))
    careful = [one.changed for one in result.method.candidates if one.settings.presence is False]
    assert is_served(expected.estimated_gain)
    assert expected.estimated_gain.points > kept.estimated_gain.points
    assert (expected.passed_over, kept.passed_over) == (True, False)
    assert expected.changed < max(careful) <= kept.changed or not kept.settings.presence
    zero_shot = pouf_core.load(result.path).label_indices(data.features, variant="zero_shot")
    assert np.array_equal(pouf_core.load(result.path).label_indices(data.features), zero_shot)


def test_a_closed_form_is_as_confident_as_it_is_right() -> None:
    data = two_cones(seed=0)

    result = pouf_core.adapt_features(data.features, data.class_features)

    served = pouf_core.load(result.path).classify(data.features)
    confidence = sum(answer.score for answer in served) / len(served)
    assert confidence == pytest.approx(data.accuracy(result.predictions), abs=0.1)


@pytest.mark.parametrize("tune", CLOSED_FORM_TUNES)
def test_an_artifact_of_a_closed_form_classifies_as_it_was_fitted_wherever_it_lies(
    data: Clusters, tmp_path: Path, tune: str
) -> None:
    given = tmp_path / "given"
    result = pouf_core.adapt_features(data.features, data.class_features, method={"tune": tune, **SERVED}, out=given)
    assert (result.method.tune, result.method.settings.tune, result.selected_step) == (tune, tune, 0)
    assert {one.settings.tune for one in result.method.candidates} == {tune}
    predictor = pouf_core.load(shutil.move(given, tmp_path / "moved"))
    assert predictor.manifest.method == result.method
    assert predictor.manifest.estimated_gain == result.estimated_gain
    logits = served_logits(result.at(tmp_path / "moved", 0.0), data.features)
    assert np.array_equal(result.predictions, logits.argmax(dim=1).numpy())
    assert np.array_equal(predictor.label_indices(data.features, variant="adapted"), result.predictions)
    scores = [found.score for found in predictor.classify(data.features, variant="adapted")]
    assert np.allclose(scores, logits.softmax(dim=1).max(dim=1).values, atol=1e-4)


def test_no_vector_of_the_data_is_in_the_artifact(data: Clusters) -> None:
    result = pouf_core.adapt_features(data.features, data.class_features, method={"tune": "propagate"})
    tensors = load_artifact(result.path).tensors
    rows = {name: len(tensor) for name, tensor in tensors.items() if tensor.ndim == 2}
    assert set(rows.values()) == {len(data.class_features)}


def test_predictions_do_not_depend_on_the_logit_scale_that_is_given(data: Clusters) -> None:
    at_20, at_100 = (
        pouf_core.adapt_features(data.features, data.class_features, logit_scale=scale) for scale in (20.0, 100.0)
    )
    assert np.array_equal(at_20.predictions, at_100.predictions)
    assert (at_20.verdict, at_20.estimated_gain) == (at_100.verdict, at_100.estimated_gain)


def test_the_same_seed_gives_the_same_bytes_in_any_order_of_the_rows(data: Clusters, tmp_path: Path) -> None:
    def weights(name: str, features: npt.NDArray[np.float32]) -> bytes:
        options: dict[str, Any] = {"seed": 3, "threads": 1, "out": tmp_path / name}
        return (pouf_core.adapt_features(features, data.class_features, **options).path / WEIGHTS).read_bytes()

    first = weights("first", data.features)
    assert first == weights("again", data.features)
    assert first == weights("reversed", data.features[::-1].copy())


def test_pictures_of_a_model_that_is_not_embedded_are_adapted_in_closed_form_and_predicted_alike(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    base = f"open_clip:{tiny_clip_directory}"
    result = pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=base, method=SERVED, out=tmp_path / "model")
    assert result.method.type == "closed-form"
    check(result)
    predictor = pouf_core.load(result.path)
    features = predictor.embed(picture_paths, "adapted")
    expected = served_logits(result, features.numpy()).argmax(dim=1).tolist()
    assert [found.class_index for found in predictor.predict(picture_paths, variant="adapted")] == expected


def test_an_embedded_model_goes_on_to_train_prototypes_where_no_closed_form_is_sure_to_gain(
    pouf_lite: ClipLikeModel, picture_paths: list[Path], tmp_path: Path
) -> None:
    seen: list[Any] = []
    told: dict[str, Any] = {"on_progress": seen.append, "out": tmp_path / "auto"}
    result = pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=pouf_lite, **told)
    done = [one.step / one.total_steps for one in seen if one.stage == "training" and one.warning is None]
    assert done == sorted(done)
    assert done[-1] == 1
    assert (result.method.type, result.method.tune, result.estimated_gain) == ("pouf", "prototypes", None)
    asked: dict[str, Any] = {"base_model": pouf_lite, "method": {"tune": "calibrate"}, "out": tmp_path / "asked"}
    closed = pouf_core.adapt(picture_paths, CLASS_NAMES, **asked)
    assert (closed.method.type, closed.verdict) == ("closed-form", "uncertain")


def test_the_stages_of_a_closed_form_are_told_and_no_step_is(data: Clusters) -> None:
    seen: list[Any] = []
    result = pouf_core.adapt_features(data.features, data.class_features, on_progress=seen.append)
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages == ["loading_base", "encoding", "training", "evaluating", "exporting"]
    training = [progress for progress in seen if progress.stage == "training"]
    assert [(training[-1].step, training[-1].total_steps)] == [(len(result.method.candidates),) * 2]
    assert (result.metrics, result.selected_step) == ([], 0)
    assert [progress.method for progress in seen if progress.method] == [result.method]


METHODS: list[dict[str, Any]] = [{}, *({"tune": tune, **SERVED} for tune in CLOSED_FORM_TUNES)]


def test_evaluation_labels_leave_no_trace_and_every_item_is_evaluated(data: Clusters, tmp_path: Path) -> None:
    found = collect_embeddings(data.features)
    names = [f"class {index}" for index in range(len(data.class_features))]
    labels = {found.items.hashes[item]: names[data.labels[row]] for row, item in enumerate(found.item_of_row)}

    def adapted(name: str, labels: dict[str, str]) -> pouf_core.AdaptationResult:
        options: dict[str, Any] = {"base_model": "features", "threads": 1, "out": tmp_path / name}
        return pouf_core.adapt(
            data.features, names, class_features=data.class_features, evaluation_labels=labels, **options
        )

    without, labelled = adapted("without", {}), adapted("labelled", labels)
    assert (without.path / WEIGHTS).read_bytes() == (labelled.path / WEIGHTS).read_bytes()
    assert (without.method, without.estimated_gain) == (labelled.method, labelled.estimated_gain)
    assert labelled.evaluation is not None
    assert labelled.evaluation.n == len(data.features)
    predicted = pouf_core.load(labelled.path).label_indices(data.features)
    assert labelled.evaluation.adapted_accuracy == pytest.approx(data.accuracy(predicted))


def test_large_data_are_fitted_by_a_sample_and_predicted_whole(data: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pouf_core.adaptation.closed_form.MOST_FITTED_ITEMS", 300)
    result = pouf_core.adapt_features(data.features, data.class_features)
    assert result.method.item_count == 300
    assert result.predictions.shape == (len(data.features),)
    assert data.accuracy(result.predictions) > 0.95


FEATURES: dict[str, Any] = {
    "one": np.eye(1, 8),
    "two": np.eye(2, 8),
    "repeated": np.eye(2, 8)[[0, 0, 0]],
    "all but equal": np.ones((30, 8)) + 1e-6 * (np.arange(240).reshape(30, 8) % 7),
    "opposite": np.concatenate([np.eye(4, 8), -np.eye(4, 8)]),
    "clusters": clusters(40, width=8).features,
}


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("features", FEATURES.values(), ids=FEATURES)
@pytest.mark.parametrize("classes", [2, 8, 60])
def test_however_few_or_alike_the_vectors_and_however_many_the_classes_every_row_is_classified(
    features: npt.NDArray[np.float64], classes: int, method: dict[str, Any]
) -> None:
    class_features = np.random.default_rng(1).normal(size=(classes, 8))
    result = pouf_core.adapt_features(features, class_features, method=method, threads=1)
    check(result)
    assert result.predictions.shape == (len(features),)
    assert ((result.predictions >= 0) & (result.predictions < classes)).all()


@pytest.mark.parametrize("equal", [False, True])
def test_classes_with_the_same_vector_are_classified_too(equal: bool, data: Clusters) -> None:
    class_features = data.class_features.copy()
    class_features[:: 1 if equal else 2] = class_features[0]
    check(pouf_core.adapt_features(data.features, class_features))


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("classes", [CLASS_NAMES[:2], [f"shape {index}" for index in range(9)]], ids=len)
def test_few_pictures_are_adapted_by_default(
    tiny_clip_directory: Path, picture_paths: list[Path], count: int, classes: list[str]
) -> None:
    result = pouf_core.adapt(picture_paths[:count], classes, base_model=f"open_clip:{tiny_clip_directory}")
    check(result)
    assert len(pouf_core.load(result.path).predict(picture_paths[:count])) == count


@pytest.mark.parametrize("count", [1, 2, 12])
@pytest.mark.parametrize("classes", [["bad", "good"], [f"film {index}" for index in range(9)]], ids=len)
def test_few_texts_are_adapted_by_default(encoder: str, count: int, classes: list[str]) -> None:
    result = pouf_core.adapt(TEXTS[:count], classes, base_model=encoder, prompt_template="a text is {}.")
    assert result.method.type == "closed-form"
    check(result)
    assert len(pouf_core.load(result.path).predict(TEXTS[:count])) == count


def test_one_picture_and_an_embedded_model_still_give_a_result(
    pouf_lite: ClipLikeModel, picture_paths: list[Path]
) -> None:
    for count in (1, 2):
        result = pouf_core.adapt(picture_paths[:count], CLASS_NAMES, base_model=pouf_lite)
        assert result.verdict != "improved"
