"""What decides on a trained model: its estimated gain, or the checks where they were measured on the base model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pouf_core
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.validation.gain import is_served
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.embeddings import two_cones


@pytest.mark.parametrize("scale", [20.0, 100.0])
def test_prototypes_trained_over_vectors_are_judged_by_their_estimated_gain_at_any_scale(scale: float) -> None:
    data = two_cones()
    options: dict[str, Any] = {"method": {"tune": "prototypes"}, "logit_scale": scale}
    result = pouf_core.adapt_features(data.features, data.class_features, **options)
    assert (result.method.type, result.method.selection) == ("pouf", "last")
    assert result.estimated_gain is not None
    assert (result.fallback is None) == is_served(result.estimated_gain)
    assert result.verdict_reasons[0].code in ("estimated_gain", "gain_likely", "gain_not_sure")
    zero_shot = pouf_core.load(result.path).label_indices(data.features, variant="zero_shot")
    assert data.accuracy(result.predictions) >= data.accuracy(zero_shot)


def test_an_embedded_model_is_judged_by_the_checks_that_were_measured_on_it(
    pouf_lite: ClipLikeModel, picture_paths: list[Path], tmp_path: Path
) -> None:
    method: dict[str, Any] = {"tune": "prototypes", "max_steps": 4}
    result = pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=pouf_lite, method=method, out=tmp_path / "model")
    assert (result.method.selection, result.estimated_gain) == ("label_free", None)
