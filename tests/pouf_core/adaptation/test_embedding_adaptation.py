"""Adaptation over a caller's own vectors, with class features of the caller's or of a base model's text tower."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pouf_core
from pouf_core.contract.classes import PICTURE_TEMPLATES
from pouf_core.contract.request import AdaptationRequest
from pouf_core.data.embeddings import collect_embeddings
from pouf_core.errors import InvalidInput, problems_of
from pouf_core.families.loading import load_base_model
from pouf_core.families.registry import describe
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.embeddings import Clusters, clusters

NAMES = [f"class {index}" for index in range(8)]
TUNE = {"tune": "prototypes"}


@pytest.fixture(scope="module")
def data() -> Clusters:
    return clusters()


def adapt(data: Clusters, **values: Any) -> pouf_core.AdaptationResult:
    given = {"base_model": "features", "class_features": data.class_features, "method": TUNE, "logit_scale": 20.0}
    return pouf_core.adapt(data.features, NAMES, **given | values)


def problems(call: Any) -> list[tuple[str, str | None]]:
    with pytest.raises(InvalidInput) as refused:
        call()
    return [(problem.code, problem.field) for problem in problems_of(refused.value)]


def test_prototypes_move_towards_the_groups_that_the_vectors_form(data: Clusters, tmp_path: Path) -> None:
    found = collect_embeddings(data.features)
    labels = {found.items.hashes[item]: NAMES[data.labels[row]] for row, item in enumerate(found.item_of_row)}
    result = adapt(data, evaluation_labels=labels, out=tmp_path / "model")
    assert result.evaluation is not None
    assert result.evaluation.adapted_accuracy > result.evaluation.zero_shot_accuracy + 0.02
    manifest = json.loads((result.path / "pouf.json").read_text())
    assert (manifest["modality"], manifest["base_model"]["name"]) == ("embedding", "features")
    assert manifest["request"]["logit_scale"] == 20.0
    assert manifest["dataset"]["item_count"] == len(found.items)
    assert "class 3" in (result.path / "README.md").read_text()


def test_the_loaded_model_takes_vectors_of_its_width_and_nothing_else(data: Clusters, tmp_path: Path) -> None:
    predictor = pouf_core.load(adapt(data, out=tmp_path / "model").path)
    vector = data.features[0]
    one, same = predictor.predict([vector.tolist(), vector.astype("<f4").tobytes()], 3)
    assert one == same
    assert problems(lambda: predictor.predict([vector[:5]])) == [("embedding_width", None)]
    assert problems(lambda: predictor.predict(["a text"])) == [("wrong_modality", None)]
    assert problems(lambda: predictor.predict([np.zeros(32)])) == [("embedding_zero", None)]


def test_models_of_one_width_share_their_encoder_and_those_of_another_do_not(data: Clusters, tmp_path: Path) -> None:
    narrow = clusters(width=16)
    first = pouf_core.load(adapt(data, out=tmp_path / "a").path)
    again = pouf_core.load(adapt(data, out=tmp_path / "b", method={"type": "zero-shot"}).path)
    other = pouf_core.load(adapt(narrow, out=tmp_path / "c").path)
    assert first.encoder("adapted").key == again.encoder("zero_shot").key != other.encoder("adapted").key


def test_the_order_and_the_number_type_of_the_rows_change_no_weight(data: Clusters, tmp_path: Path) -> None:
    rows = torch.tensor(data.features.astype(np.float64)[::-1].copy())
    other = Clusters(torch.cat([rows, rows[:7]]), torch.tensor(data.class_features).double(), data.labels)
    weights = [
        (adapt(given, out=tmp_path / name).path / "adapter.safetensors").read_bytes()
        for given, name in ((data, "one"), (other, "other"))
    ]
    assert weights[0] == weights[1]


def test_rows_that_cannot_be_used_are_left_out_with_a_warning(data: Clusters) -> None:
    features = data.features.copy()
    features[5] = 0
    result = adapt(Clusters(features, data.class_features, data.labels))
    (warning,) = (item for item in result.warnings if item.code == "items_rejected")
    assert "row 5" in warning.message.lower()


def test_class_features_and_scale_belong_to_the_identity_of_a_checkpoint(data: Clusters, tmp_path: Path) -> None:
    def trained_from_the_start(**values: Any) -> bool:
        told: list[tuple[str, int]] = []
        adapt(
            data,
            checkpoint_dir=tmp_path,
            checkpoint_seconds=0.0,
            on_progress=lambda progress: told.append((progress.stage, progress.step)),
            **values,
        )
        return ("training", 1) in told

    assert trained_from_the_start()
    assert not trained_from_the_start()
    assert trained_from_the_start(logit_scale=21.0)
    assert trained_from_the_start(logit_scale=21.0, class_features=data.class_features + 0.01)


def test_a_text_tower_makes_the_class_features_and_is_not_needed_afterwards(
    tiny_clip_directory: Path, tmp_path: Path
) -> None:
    name = f"open_clip:{tiny_clip_directory}"
    features = np.random.default_rng(0).normal(size=(60, 32))
    result = pouf_core.adapt(features, CLASS_NAMES, base_model=name, method=TUNE, out=tmp_path / "model")
    predictor = pouf_core.load(result.path)
    assert (predictor.manifest.base_model.name, predictor.manifest.request.base_model) == ("features", name)
    assert predictor.manifest.templates == list(PICTURE_TEMPLATES)
    base = load_base_model(name)
    prompts = base.prompted(AdaptationRequest(base_model=name, class_names=CLASS_NAMES).check(describe(name)))
    own = prompts.zero_shot()
    unit = torch.nn.functional.normalize(torch.tensor(features).float(), dim=1)
    expected = own(unit).class_logits.softmax(dim=1)
    scores = [found.score for found in predictor.predict(list(features), variant="zero_shot")]
    assert np.allclose(scores, expected.max(dim=1).values, atol=1e-5)
    louder = pouf_core.adapt(
        features, CLASS_NAMES, base_model=name, method={"type": "zero-shot"}, logit_scale=50.0, out=tmp_path / "louder"
    )
    scores = [found.score for found in pouf_core.load(louder.path).predict(list(features))]
    assert np.allclose(scores, (50 * own(unit).similarity).softmax(dim=1).max(dim=1).values, atol=1e-5)


def test_what_does_not_fit_together_is_refused_before_anything_is_loaded(data: Clusters) -> None:
    def refused(**values: Any) -> list[tuple[str, str | None]]:
        return problems(lambda: adapt(data, **values))

    wide = np.ones((8, 33))
    assert refused(class_features=None) == [("class_features_missing", "/class_features")]
    assert refused(class_features=data.class_features[:7]) == [("class_features_count", "/class_features")]
    assert refused(class_features=wide) == [("class_features_width", "/class_features")]
    assert refused(prompt_template="a photo of a {}.") == [("prompt_template_not_used", "/prompt_template")]
    assert refused(method={"tune": "model"}) == [("unsupported_tune", "/method/tune")]
    assert refused(base_model="pouf-lite") == [("class_features_not_used", "/class_features")]
    assert refused(base_model="minilm-mlm") == [("wrong_modality", "/base_model")]
    assert refused(logit_scale=0.0) == [("invalid_request", "/logit_scale")]
    assert refused(logit_scale=1001.0) == [("invalid_request", "/logit_scale")]
    with pytest.raises(InvalidInput, match="32 numbers each and the class features 33"):
        adapt(data, class_features=wide)


def test_a_scale_that_is_the_logarithm_of_clips_is_warned_of(data: Clusters) -> None:
    for scale, expected in ((4.6052, True), (4.5, False), (100.0, False)):
        warnings = adapt(data, logit_scale=scale, method={"type": "zero-shot"}).warnings
        assert ("logit_scale_is_a_logarithm" in {warning.code for warning in warnings}) is expected


def test_features_take_no_texts_and_pictures_no_logit_scale(
    picture_paths: list[Path], tiny_clip_directory: Path
) -> None:
    def call(items: Any, base: str, **values: Any) -> Any:
        return lambda: pouf_core.adapt(items, CLASS_NAMES, base_model=base, **values)

    texts = call(["a text"], "features", class_features=np.eye(3), method=TUNE)
    assert problems(texts) == [("wrong_modality", "/features")]
    clip = f"open_clip:{tiny_clip_directory}"
    assert problems(call(picture_paths, clip, logit_scale=5.0)) == [("logit_scale_not_used", "/logit_scale")]
    assert problems(call(np.ones((4, 7)), clip, method=TUNE)) == [("class_features_width", "/base_model")]


@pytest.mark.parametrize("base_model", ["pouf-lite", "minilm"])
def test_a_model_of_pictures_or_texts_is_sent_no_vector(base_model: str) -> None:
    assert problems(lambda: load_base_model(base_model).decode([0.1, 0.2])) == [("wrong_modality", None)]
