"""Quality `best`: what it trains, what it keeps, when it gives what `fast` gives, and what it refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import pouf_core
from pouf_core.artifact import WEIGHTS, load_artifact
from pouf_core.contract.progress import Progress
from pouf_core.contract.request import AdaptationRequest
from pouf_core.errors import AdaptationStopped, InvalidRequest
from pouf_core.families.loading import load_base_model
from pouf_core.families.registry import describe
from pouf_core.validation.gain import is_served
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.sentence_encoders import save_sentence_encoder
from tests.pouf_core.threshold_overrides import CLEAR_DATA, TRUSTED_CHANGES, set_limits

Adapt = Callable[..., pouf_core.AdaptationResult]


@pytest.fixture
def adapt(picture_paths: list[Path], tmp_path: Path) -> Adapt:
    """`pouf-lite` on the pictures of three shapes, with quality `best`."""

    def run(name: str = "best", **options: Any) -> pouf_core.AdaptationResult:
        given = {"quality": "best", "threads": 1, "out": tmp_path / name, **options}
        return pouf_core.adapt(picture_paths, CLASS_NAMES, **given)

    return run


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any data and any change passes."""
    set_limits(monkeypatch, **CLEAR_DATA, **TRUSTED_CHANGES)


@pytest.fixture(scope="module")
def whole(picture_paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> pouf_core.AdaptationResult:
    """What `adapt` gives where any data and any change passes."""
    with pytest.MonkeyPatch.context() as patch:
        set_limits(patch, **CLEAR_DATA, **TRUSTED_CHANGES)
        out = tmp_path_factory.mktemp("whole") / "model"
        return pouf_core.adapt(picture_paths, CLASS_NAMES, quality="best", threads=1, out=out)


def test_best_trains_the_projection_and_the_prototypes_towards_pseudo_labels_and_is_served(
    whole: pouf_core.AdaptationResult, picture_paths: list[Path]
) -> None:
    method = whole.method
    assert (method.type, method.tune, method.interpolation) == ("pouf", "head", 1.0)
    assert method.pseudo_label_weight > 0
    assert whole.selected_step == method.max_steps == len(whole.metrics)
    assert whole.metrics[-1]["cross_entropy"] < whole.metrics[0]["cross_entropy"]
    artifact = load_artifact(whole.path)
    assert artifact.manifest.request.quality == "best"
    trained = {name.split(".")[1] for name in artifact.tensors if name.startswith("trained.")}
    assert trained == {"network", "prototype_offsets"}
    assert not torch.equal(artifact.tensors["prototypes.adapted"], artifact.tensors["prototypes.zero_shot"])
    predictor = pouf_core.load(whole.path)
    assert predictor.served == "adapted"
    assert len(predictor.predict(picture_paths)) == len(picture_paths)


@pytest.mark.slow
@pytest.mark.usefixtures("trusting")
def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    whole: pouf_core.AdaptationResult, adapt: Adapt, tmp_path: Path
) -> None:
    seen, checkpoints = [0], tmp_path / "checkpoints"

    def watch(progress: Progress) -> None:
        if progress.metrics:
            seen.append(progress.step)

    for step in (7, 21, 50):  # in the first half, after the labels were told anew, and within the mean of weights
        with pytest.raises(AdaptationStopped):
            adapt(
                "never",
                checkpoint_dir=checkpoints,
                on_progress=watch,
                should_stop=lambda step=step: "shutdown" if seen[-1] >= step else None,
            )
    resumed = adapt("resumed", checkpoint_dir=checkpoints, on_progress=watch)
    assert seen == list(range(whole.method.max_steps + 1))
    assert (whole.path / WEIGHTS).read_bytes() == (resumed.path / WEIGHTS).read_bytes()
    assert whole.metrics == resumed.metrics


@pytest.mark.usefixtures("trusting")
def test_labels_of_the_data_do_not_reach_the_weights(
    whole: pouf_core.AdaptationResult, adapt: Adapt, picture_paths: list[Path]
) -> None:
    labels = {hashlib.sha256(path.read_bytes()).hexdigest(): "circle" for path in picture_paths}
    labelled = adapt("labelled", evaluation_labels=labels)
    assert labelled.evaluation is not None
    assert (whole.path / WEIGHTS).read_bytes() == (labelled.path / WEIGHTS).read_bytes()


def test_data_that_fails_a_check_gets_what_fast_gives_and_is_told_why(
    adapt: Adapt, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(monkeypatch, weak_structure=1e9)
    fast, best = adapt("fast", quality="fast"), adapt()
    assert (fast.path / WEIGHTS).read_bytes() == (best.path / WEIGHTS).read_bytes()
    assert best.method == fast.method
    assert "best_not_reached" in [warning.code for warning in best.warnings]
    assert "best_not_reached" not in [warning.code for warning in fast.warnings]


@pytest.mark.slow
def test_weights_that_fail_every_check_are_not_kept(adapt: Adapt, monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, **CLEAR_DATA, many_flips=-1.0)
    fast, best = adapt("fast", quality="fast"), adapt()
    assert best.method == fast.method
    assert (fast.path / WEIGHTS).read_bytes() == (best.path / WEIGHTS).read_bytes()
    assert [warning.code for warning in best.warnings].count("best_not_reached") == 1


def test_where_the_whole_way_fails_a_check_a_part_of_it_is_kept(
    whole: pouf_core.AdaptationResult, adapt: Adapt, monkeypatch: pytest.MonkeyPatch, trusting: None
) -> None:
    trained_whole = load_artifact(whole.path).tensors
    answers = [["too much"], []]
    monkeypatch.setattr("pouf_core.adaptation.interpolation.failed_change_checks", lambda *_: answers.pop(0))
    part = adapt("part")
    kept, zero_shot = load_artifact(part.path).tensors, pouf_lite_head()
    assert part.method.interpolation == 0.75
    for name, begin in zero_shot.items():
        trained = trained_whole[f"trained.network.{name}"]
        torch.testing.assert_close(kept[f"trained.network.{name}"], begin + 0.75 * (trained - begin))
    offsets = "trained.prototype_offsets"
    torch.testing.assert_close(kept[offsets], 0.75 * trained_whole[offsets])


def pouf_lite_head() -> dict[str, torch.Tensor]:
    network = load_base_model("pouf-lite", torch.device("cpu")).network
    return {name: value for name, value in network.state_dict().items() if name.startswith("visual.head.")}


def test_an_encoder_without_measured_checks_is_judged_by_its_estimated_gain(
    tiny_clip_directory: Path, adapt: Adapt
) -> None:
    result = adapt(base_model=f"open_clip:{tiny_clip_directory}")
    if result.method.type == "pouf":
        assert result.estimated_gain is not None
        assert is_served(result.estimated_gain)
        assert result.fallback is None
    else:
        assert "best_not_reached" in [warning.code for warning in result.warnings]


def test_a_sentence_encoder_has_quality_best(tmp_path: Path, trusting: None) -> None:
    texts = [f"the {a} movie was {b}" for a in ("great", "good", "bad") for b in ("great", "okay", "terrible", "bad")]
    encoder = save_sentence_encoder(tmp_path / "encoder")
    result = pouf_core.adapt(
        texts, ["bad", "great"], base_model=f"sentence:{encoder}", quality="best", out=tmp_path / "model", threads=1
    )
    assert pouf_core.load(result.path).predict(texts[:2])


@pytest.mark.parametrize(
    ("base_model", "method"),
    [
        ("pouf-lite", {"tune": "head"}),
        ("pouf-lite", {"tune": "gaussian"}),
        ("pouf-lite", {"max_steps": 5}),
        ("pouf-lite", {"preset": "paper"}),
        ("pouf-lite", {"type": "zero-shot"}),
        ("minilm-mlm", {}),
        ("features", {}),
    ],
)
def test_quality_best_is_refused_where_the_method_says_what_is_trained_or_nothing_can_be(
    base_model: str, method: dict[str, Any]
) -> None:
    request = AdaptationRequest.of(base_model=base_model, class_names=CLASS_NAMES, quality="best", method=method)
    with pytest.raises(InvalidRequest) as refused:
        request.check(describe(base_model))
    assert [(problem.code, problem.field) for problem in refused.value.problems] == [
        ("quality_not_available", "/quality")
    ]


def test_an_unknown_quality_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        AdaptationRequest.of(class_names=CLASS_NAMES, quality="better")
    assert [(problem.code, problem.field) for problem in refused.value.problems] == [("invalid_request", "/quality")]
