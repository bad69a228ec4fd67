"""Methods that train nothing, through `adapt`: the base model as it is, and prior matching."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import pouf_core
from pouf_core.adaptation.resolving import estimate_prior
from pouf_core.artifact import WEIGHTS, load_artifact
from pouf_core.contract.method import LANGUAGE_SETTINGS, MethodSpec
from pouf_core.contract.progress import Progress
from pouf_core.errors import InvalidInput
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.method_settings import EXAMPLES
from tests.pouf_core.threshold_overrides import set_limits

GIVEN = [0.6, 0.3, 0.1]


@pytest.fixture
def adapt(tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path) -> Any:
    def run(name: str = "model", labels: dict[str, str] | None = None, **method: Any) -> pouf_core.AdaptationResult:
        return pouf_core.adapt(
            picture_paths,
            CLASS_NAMES,
            base_model=f"open_clip:{tiny_clip_directory}",
            method=method,
            out=tmp_path / name,
            evaluation_labels=labels,
        )

    return run


def scores(predictor: pouf_core.Predictor, paths: list[Path], variant: str) -> Tensor:
    """Probabilities [n, K] in order of classes."""
    rows = []
    for prediction in predictor.predict(paths, len(CLASS_NAMES), variant):
        by_label = dict(prediction.top_k)
        rows.append([by_label[name] for name in CLASS_NAMES])
    return torch.tensor(rows, dtype=torch.float64)


def labels_of(paths: list[Path], shift: int = 0) -> dict[str, str]:
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return {digest: CLASS_NAMES[(index + shift) % 3] for index, digest in enumerate(digests)}


def test_zero_shot_publishes_the_base_model_as_it_is(adapt: Any, picture_paths: list[Path]) -> None:
    result = adapt(type="zero-shot")
    assert (result.method["type"], result.method["max_steps"], result.method["class_prior"]) == ("zero-shot", 0, None)
    assert result.method["class_prior_source"] == "none"
    assert (result.metrics, result.selected_step) == ([], 0)
    assert (result.verdict, result.fallback) == ("uncertain", None)
    assert [reason["code"] for reason in result.verdict_reasons] == ["not_trained"]
    tensors = load_artifact(result.path).tensors
    assert set(tensors) == {
        f"{kind}.{variant}" for kind in ("prototypes", "logit_scale") for variant in ("adapted", "zero_shot")
    }
    assert torch.equal(tensors["prototypes.adapted"], tensors["prototypes.zero_shot"])
    predictor = pouf_core.load(result.path)
    assert predictor.predict(picture_paths, 3) == predictor.predict(picture_paths, 3, variant="zero_shot")


@pytest.mark.parametrize(
    ("asked", "source"), [("uniform", "uniform"), (GIVEN, "given"), ("auto", "estimated"), (None, "estimated")]
)
def test_predictions_of_a_matched_model_have_the_prior(
    adapt: Any, picture_paths: list[Path], asked: Any, source: str
) -> None:
    result = adapt(type="prior-matching", **({} if asked is None else {"class_prior": asked}))
    predictor = pouf_core.load(result.path)
    before = scores(predictor, picture_paths, "zero_shot")
    estimated = estimate_prior(before.mean(dim=0)).tolist()
    expected = {"uniform": [1 / 3] * 3, "given": GIVEN, "estimated": estimated}[source]
    assert result.method["class_prior_source"] == source
    assert result.method["class_prior"] == pytest.approx(expected, abs=1e-5)
    after = scores(predictor, picture_paths, "adapted").mean(dim=0)
    assert after.tolist() == pytest.approx(expected, abs=1e-4)
    assert (before.mean(dim=0) - after).abs().max() > 1e-3


def test_a_matched_model_is_the_base_model_with_a_bias(adapt: Any) -> None:
    tensors = load_artifact(adapt(type="prior-matching", class_prior=GIVEN).path).tensors
    assert torch.equal(tensors["prototypes.adapted"], tensors["prototypes.zero_shot"])
    assert tensors["class_bias.adapted"].shape == (3,)
    assert "class_bias.zero_shot" not in tensors


@pytest.mark.parametrize("method", [{"type": "zero-shot"}, {"type": "prior-matching", "class_prior": GIVEN}])
def test_what_is_saved_predicts_what_was_evaluated(
    adapt: Any, picture_paths: list[Path], method: dict[str, Any]
) -> None:
    result = adapt(labels=labels_of(picture_paths), **method)
    predictor = pouf_core.load(result.path)
    assert result.evaluation is not None
    for variant in ("zero_shot", "adapted"):
        predicted = [prediction.label for prediction in predictor.predict(picture_paths, variant=variant)]
        right = sum(label == CLASS_NAMES[index % 3] for index, label in enumerate(predicted))
        assert result.evaluation[f"{variant}_accuracy"] == pytest.approx(right / len(picture_paths))


@pytest.mark.parametrize("method", [{"type": "zero-shot"}, {"type": "prior-matching"}])
def test_evaluation_labels_leave_no_trace(adapt: Any, picture_paths: list[Path], method: dict[str, Any]) -> None:
    runs = [
        adapt("without", **method),
        adapt("true", labels_of(picture_paths), **method),
        adapt("permuted", labels_of(picture_paths, shift=1), **method),
    ]
    assert len({(run.path / WEIGHTS).read_bytes() for run in runs}) == 1
    assert len({(run.verdict, str(run.verdict_reasons), str(run.method)) for run in runs}) == 1


def test_a_prior_that_overturns_the_base_model_is_served_where_the_caller_gave_it(adapt: Any) -> None:
    result = adapt(type="prior-matching", class_prior=[0.001, 0.001, 0.998])
    assert (result.verdict, result.fallback) == ("uncertain", None)
    assert "marginal_shifted" not in [warning["code"] for warning in result.warnings]


@pytest.mark.parametrize(
    "settings", [{"learning_rate": "auto"}, {"tune": "auto", "preset": "default"}, {"tune": "prompt"}]
)
def test_settings_at_their_defaults_are_no_contradiction(adapt: Any, settings: dict[str, Any]) -> None:
    assert adapt(type="zero-shot", **settings).method["type"] == "zero-shot"


def test_every_setting_is_covered_here() -> None:
    assert set(EXAMPLES) | {"type"} | LANGUAGE_SETTINGS == set(MethodSpec.model_fields)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field)
        for kind in ("zero-shot", "prior-matching")
        for field in EXAMPLES
        if field != "precision" and (kind, field) != ("prior-matching", "class_prior")
    ],
)
def test_settings_of_training_are_refused_at_their_field(kind: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        pouf_core.adapt(["no-such-file.png"], CLASS_NAMES, method={"type": kind, field: EXAMPLES[field]})
    assert (caught.value.code, caught.value.field) == ("unused_parameter", f"/method/{field}")
    assert kind in caught.value.message


@pytest.mark.parametrize(
    ("prior", "code"),
    [("none", "class_prior_needed"), ([0.5, 0.5], "invalid_class_prior"), ([1, 0, 0], "invalid_class_prior")],
)
def test_matching_needs_a_prior_for_each_class(prior: Any, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        pouf_core.adapt(["no-such-file.png"], CLASS_NAMES, method={"type": "prior-matching", "class_prior": prior})
    assert (caught.value.code, caught.value.field) == (code, "/method/class_prior")


def test_stages_leave_training_out_and_the_method_is_announced(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    seen: list[Progress] = []
    pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"type": "prior-matching"},
        out=tmp_path / "model",
        on_progress=seen.append,
    )
    assert list(dict.fromkeys(progress.stage for progress in seen)) == [
        "loading_base",
        "encoding",
        "encoding_views",
        "evaluating",
        "exporting",
    ]
    assert [progress.method["type"] for progress in seen if progress.method] == ["prior-matching"]


def test_matching_that_was_stopped_early_is_a_warning_of_the_job(adapt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pouf_core.adaptation.baselines.CONVERGED", -1.0)
    result = adapt(type="prior-matching")
    assert "prior_matching_not_converged" in [warning["code"] for warning in result.warnings]
    assert result.warnings == load_artifact(result.path).manifest["warnings"]


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ({("text", "none"): -1.0}, ["many_flips"]),
        ({"image": -1.0}, ["not_trained"]),
        ({("text", "prompt"): -1.0}, ["not_trained"]),
    ],
)
def test_a_baseline_over_texts_is_checked_by_the_limits_of_texts_for_methods_without_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: Any, reasons: list[str]
) -> None:
    set_limits(monkeypatch, many_flips=values)
    result = pouf_core.adapt(
        ["The soup was thick.", "She saved two penalties.", "The curry needs an hour."],
        ["food", "sport"],
        base_model="minilm",
        method={"type": "zero-shot"},
        out=tmp_path / "model",
    )
    assert [reason["code"] for reason in result.verdict_reasons] == reasons


def test_one_item_is_enough_for_a_method_without_training(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    for kind in ("zero-shot", "prior-matching"):
        result = pouf_core.adapt(
            picture_paths[:1],
            CLASS_NAMES,
            base_model=f"open_clip:{tiny_clip_directory}",
            method={"type": kind},
            out=tmp_path / kind,
        )
        assert "too_few_items" in [warning["code"] for warning in result.warnings]
