"""The predictions that a run writes down are those that its artifact gives, item by item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pouf_core
from pouf_core.contract.abstention import VariantName
from pouf_core.data.items import collect_items
from pouf_core.families.loading import BaseModelPool
from pouf_core.feature_cache.digests import digests_of
from pouf_core.predictions.stored import CLUSTERS, open_clusters, open_features, open_predictions
from tests.pouf_core.conftest import CLASS_NAMES

VARIANTS: tuple[VariantName, ...] = ("adapted", "zero_shot")
TRAINED = {"max_steps": 2, "learning_rate": 0.05, "selection": "last", "batch_size": 8}
CASES: dict[str, dict[str, Any]] = {
    "what is served is the base model": {"method": {"type": "zero-shot"}},
    "a closed form that is not served": {"method": {"tune": "gaussian"}},
    "a closed form": {"method": {"tune": "gaussian", "fallback": "never"}},
    "prompts": {"method": {"tune": "prompt", "fallback": "never", **TRAINED}},
    "a trained encoder": {"method": {"tune": "model", "fallback": "never", **TRAINED}},
    "a class bias": {"method": {"type": "prior-matching", "class_prior": [0.6, 0.3, 0.1]}},
    "a threshold": {"method": {"tune": "prompt", "fallback": "never", **TRAINED}, "threshold": 0.34},
}


@pytest.fixture(scope="module")
def pool() -> BaseModelPool:
    return BaseModelPool()


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_stored_predictions_are_what_the_model_answers(
    tmp_path: Path, tiny_clip_directory: Path, picture_paths: list[Path], pool: BaseModelPool, settings: dict[str, Any]
) -> None:
    base = f"open_clip:{tiny_clip_directory}"
    result = pouf_core.adapt(
        picture_paths, CLASS_NAMES, base_model=base, out=tmp_path / "m", predictions_dir=tmp_path / "p", **settings
    )
    stored = open_predictions(tmp_path / "p")
    predictor = pouf_core.load(result.path, base_models=pool)
    items, _ = collect_items(picture_paths)
    answers = predictor.predict([item.source for item in items], top_k=2)
    own = predictor.predict([item.source for item in items], variant="zero_shot", threshold=0.0)
    assert stored.header.variant == predictor.served
    assert stored.header.threshold == predictor.threshold_of()
    assert (stored.records["sha256"] == digests_of(items)).all()
    labels = [CLASS_NAMES[index] for index in stored.records["label"]]
    answered = [label if is_answered else None for label, is_answered in zip(labels, stored.answered, strict=True)]
    assert answered == [answer.label for answer in answers]
    assert stored.records["probability"] == pytest.approx(np.array([answer.score for answer in answers]), abs=1e-5)
    for name, place in (("probability", 0), ("runner_up_probability", 1)):
        scores = np.array([answer.top_k[place][1] for answer in answers])
        assert stored.records[name] == pytest.approx(scores, abs=1e-5)
    assert [CLASS_NAMES[index] for index in stored.records["runner_up"]] == [answer.top_k[1][0] for answer in answers]
    assert [CLASS_NAMES[index] for index in stored.records["zero_shot_label"]] == [answer.label for answer in own]
    assert stored.records["zero_shot_probability"] == pytest.approx(np.array([one.score for one in own]), abs=1e-5)
    adapted = predictor.predict([item.source for item in items], variant="adapted", threshold=0.0)
    assert stored.records["adapted_label"].tolist() == [answer.class_index for answer in adapted]
    if "threshold" in settings:
        assert None in answered and not all(label is None for label in answered)
    other = next(name for name in VARIANTS if name != predictor.served)
    kept = open_predictions(tmp_path / "p", other)
    again = predictor.predict([item.source for item in items], top_k=2, variant=other)
    assert kept.header.variant == other
    labels = [CLASS_NAMES[index] for index in kept.records["label"]]
    assert [label if sure else None for label, sure in zip(labels, kept.answered, strict=True)] == [
        answer.label for answer in again
    ]
    assert kept.records["probability"] == pytest.approx(np.array([answer.score for answer in again]), abs=1e-5)
    assert (kept.records["zero_shot_label"] == stored.records["zero_shot_label"]).all()
    assert (kept.records["adapted_label"] == stored.records["adapted_label"]).all()
    features = open_features(tmp_path / "p")
    assert features is not None
    assert len(features) == len(items)
    assert np.linalg.norm(features.astype(np.float32), axis=1) == pytest.approx(1, abs=1e-3)
    assert (tmp_path / "p" / CLUSTERS).exists()
    assert open_clusters(tmp_path / "p", len(items)).min() >= 0


def test_texts_read_by_a_trained_language_model_are_predicted_too(tmp_path: Path, pool: BaseModelPool) -> None:
    texts = [f"{what} {n}" for what in ("I love this film", "A dreadful bore", "It rains today") for n in range(2)]
    result = pouf_core.adapt(
        texts,
        ["positive", "negative"],
        base_model=pool.get("minilm-mlm"),
        prompt_template="{text} It was {mask}.",
        label_words={"positive": "great", "negative": "terrible"},
        method={"tune": "norm", "fallback": "never", **TRAINED},
        out=tmp_path / "m",
        predictions_dir=tmp_path / "p",
    )
    stored = open_predictions(tmp_path / "p")
    items, _ = collect_items(texts, "text")
    answers = pouf_core.load(result.path, base_models=pool).predict([item.source for item in items])
    assert stored.records["probability"] == pytest.approx(np.array([answer.score for answer in answers]), abs=1e-5)
    assert stored.header.accepted_from == 0  # what accuracy to expect was not estimated
