"""The card that lies beside a model's weights, for every kind of manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pouf_core.artifact import CARD, Artifact, load_artifact, save_artifact
from pouf_core.contract.manifest import Manifest

REASONS = [{"code": "classes_vanished", "message": "2 of 3 classes are not predicted any more."}]
VERDICT_KEYS = {"verdict", "verdict_reasons", "fallback"}


@pytest.fixture
def manifest() -> dict[str, Any]:
    return {
        "format": 1,
        "base_model": {"name": "pouf-lite", "sha256": "a" * 64},
        "class_names": [{"name": "bird", "prompt": None}, {"name": "boat", "prompt": "sailing boat"}],
        "prompt_templates": ["a photo of a {}."],
        "method": {"type": "pouf", "tune": "prompt", "preset": "default", "max_steps": 40},
        "seed": 0,
        "dataset": {"fingerprint": "f" * 64, "item_count": 24},
        "selected_step": 12,
        "evaluation": None,
        "verdict": None,
        "verdict_reasons": [],
        "fallback": None,
    }


@pytest.fixture
def card(manifest: dict[str, Any], tmp_path: Path) -> Any:
    def render(**changes: Any) -> str:
        directory = tmp_path / f"model-{len(list(tmp_path.iterdir()))}"
        artifact = Artifact(Manifest.model_validate(manifest | changes), {}, [])
        return (save_artifact(directory, artifact) / CARD).read_text()

    return render


def test_it_says_what_was_tuned_and_which_step_was_kept(card: Any) -> None:
    text = card()
    assert "| Method | `pouf` |\n" in text
    assert "| Tuned | prompt, preset `default`, step 12 of 40 kept |\n" in text
    assert "Verdict" not in text
    assert 'variant="adapted"' in text


def test_step_0_is_told_to_be_zero_shot(card: Any) -> None:
    assert "step 0 of 40 kept: the zero-shot weights |" in card(selected_step=0)


def test_it_gives_the_verdict_its_reasons_and_what_is_served(card: Any) -> None:
    text = card(verdict="harmful", verdict_reasons=REASONS, fallback="zero_shot")
    assert "## Verdict: harmful\n\n- 2 of 3 classes are not predicted any more. (`classes_vanished`)\n" in text
    assert "zero-shot variant of this model unless `adapted` is asked for" in text
    assert 'variant="zero_shot"' in text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("zero-shot", "The base model as a zero-shot classifier"),
        ("prior-matching", "re-weighted to the class prior of 24"),
    ],
)
def test_a_baseline_does_not_claim_to_be_trained(card: Any, kind: str, said: str) -> None:
    method = {"type": kind, "tune": "none", "max_steps": 0, "class_prior": None, "class_prior_source": "none"}
    text = card(method=method, selected_step=0)
    assert said in text
    assert f"| Method | `{kind}` |\n" in text
    assert "Tuned" not in text
    assert "adapted to" not in text


GAUSSIAN = {"tune": "gaussian", "logit_scale": 15.8765, "temper": 0.02, "presence": True}
GAIN = {"points": 4.26, "low": 1.04, "high": 7.5}


def closed_form(**changes: Any) -> dict[str, Any]:
    candidates = [{"settings": GAUSSIAN, "changed": 0.1, "estimated_gain": GAIN}] * 3
    runtime = {"threads": 1, "device": "cpu", "precision": "float32"}
    method = {"type": "closed-form", "tune": "gaussian", "settings": GAUSSIAN, "candidates": candidates}
    return method | {"item_count": 24} | runtime | changes


def test_a_closed_form_is_described_by_its_settings_and_its_estimated_gain(card: Any) -> None:
    text = card(method=closed_form(), selected_step=0, estimated_gain=GAIN)
    assert "found in closed form from 24 unlabelled items" in text
    assert "| Method | `closed-form` |\n" in text
    settings = "tune `gaussian`, logit_scale 15.88, temper 0.02, presence yes, the surest of 3 tried"
    assert f"| Closed form | {settings} |\n" in text
    assert "gain over zero-shot: +4.3 points, 90 % interval\n+1.0 to +7.5." in text
    for claim in ("POUF (", "| Tuned |", "step 0", "zero-shot weights"):
        assert claim not in text
    assert "found in closed form from 12 of 24 unlabelled items" in card(
        method=closed_form(item_count=12), selected_step=0, estimated_gain=GAIN
    )


def test_where_no_closed_form_was_fitted_the_card_says_so(card: Any) -> None:
    nothing = closed_form(tune="none", settings=None, candidates=[])
    text = card(method=nothing, selected_step=0, verdict="uncertain", fallback="zero_shot")
    assert "no closed form could be fitted" in text
    assert "gain over zero-shot" not in text
    assert "| Closed form |" not in text


def test_a_manifest_from_before_verdicts_is_rendered_and_loaded(manifest: dict[str, Any], tmp_path: Path) -> None:
    old = {name: value for name, value in manifest.items() if name not in VERDICT_KEYS}
    directory = save_artifact(tmp_path / "model", Artifact(Manifest.model_validate(old), {}, []))
    assert load_artifact(directory).manifest == Manifest.model_validate(old)
    text = (directory / CARD).read_text()
    assert "Verdict" not in text
    assert 'variant="adapted"' in text


@pytest.mark.parametrize(
    ("fallback", "threshold", "said"),
    [
        (None, None, "Proposed threshold for an accuracy of 95 %: 0.7. The share answered would be\n50.0 %.\n"),
        (None, "auto", "Items below the proposed threshold get no class"),
        (None, 0.6, "Items below 0.6 get no class"),
        ("zero_shot", None, "No threshold is estimated to reach an accuracy of 95 %."),
    ],
)
def test_the_curve_of_the_served_variant_is_told(
    card: Any, fallback: str | None, threshold: float | str | None, said: str
) -> None:
    points = [
        {"threshold": 0.7, "answered": 0.5, "accuracy": 0.95},
        {"threshold": 0.0, "answered": 1.0, "accuracy": 0.81},
    ]
    abstention = {
        "wished_accuracy": 0.95,
        "adapted": {"points": points, "proposed": points[0]},
        "zero_shot": {"points": points, "proposed": None},
    }
    text = card(
        abstention=abstention,
        fallback=fallback,
        request={"class_names": ["bird", "boat"], "prompt_template": [], "threshold": threshold},
    )
    assert "| 0 | 100.0 % | 81.0 % |\n" in text
    assert said in text
