"""`calibrate` of a language model: a share of the mean logit is taken off, for the data and for later texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import pouf_core
from pouf_core.artifact import load_artifact
from pouf_core.errors import InvalidInput
from tests.pouf_core.families.language.test_language_adaptation import CLASSES, LABEL_WORDS, TEXTS
from tests.pouf_core.families.language.tiny_models import save_causal, save_masked


@pytest.fixture(scope="module", params=["bert", "gpt2"])
def base_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory, causal = tmp_path_factory.mktemp("language") / request.param, request.param == "gpt2"
    return f"{'hf-causal' if causal else 'hf-mlm'}:{(save_causal if causal else save_masked)(request.param, directory)}"


def calibrated(base_model: str, out: Path, data: Any = TEXTS, **method: Any) -> pouf_core.AdaptationResult:
    settings: dict[str, Any] = {"label_words": LABEL_WORDS, "device": "cpu", "threads": 1, "out": out}
    return pouf_core.adapt(data, CLASSES, base_model=base_model, method={"tune": "calibrate", **method}, **settings)


def logits(predictor: pouf_core.Predictor, variant: str) -> torch.Tensor:
    """Log-probabilities [n, K] of `TEXTS`."""
    rows = [dict(found.top_k) for found in predictor.predict(TEXTS, len(CLASSES), variant)]
    return torch.tensor([[row[name] for name in CLASSES] for row in rows], dtype=torch.float64).log()


@pytest.mark.parametrize("label_word_bias", ["null", "none"])
def test_half_of_the_mean_logit_is_taken_off(base_model: str, tmp_path: Path, label_word_bias: str) -> None:
    result = calibrated(base_model, tmp_path / "model", label_word_bias=label_word_bias)
    assert (result.method.type, result.method.tune, result.method.item_count) == ("closed-form", "calibrate", 50)
    assert (result.method.settings.calibrated, result.method.settings.share) == ("mean_logit", 0.5)
    predictor = pouf_core.load(result.path)
    before = logits(predictor, "zero_shot")
    expected = (before - before.mean(dim=0) / 2).log_softmax(dim=1)
    torch.testing.assert_close(logits(predictor, "adapted"), expected, rtol=0, atol=1e-4)


def test_zero_shot_is_served_unless_the_caller_says_otherwise(base_model: str, tmp_path: Path) -> None:
    result = calibrated(base_model, tmp_path / "model")
    assert (result.verdict, result.fallback, result.estimated_gain) == ("uncertain", "zero_shot", None)
    assert [reason["code"] for reason in result.verdict_reasons] == ["gain_not_estimated"]
    served = calibrated(base_model, tmp_path / "served", fallback="never")
    assert served.fallback is None
    tensors = [load_artifact(one.path).tensors["class_bias.adapted"] for one in (result, served)]
    assert torch.equal(*tensors)


def test_settings_of_training_and_the_other_closed_forms_are_refused(base_model: str, tmp_path: Path) -> None:
    for method, code in (({"max_steps": 3}, "unused_parameter"), ({"tune": "gaussian"}, "unsupported_tune")):
        with pytest.raises(InvalidInput) as refused:
            calibrated(base_model, tmp_path / "model", **method)
        assert refused.value.code == code
