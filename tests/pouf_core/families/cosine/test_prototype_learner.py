"""Tune mode `prototypes`: the prototypes move, held by an L2 penalty, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import pouf_core
from pouf_core.artifact import load_artifact
from pouf_core.contract.request import AdaptationRequest
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.clip_like import ClipLikeModel
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.training import resolved


def adapt(model: ClipLikeModel, paths: list[Path], out: Path, **method: object) -> dict[str, Tensor]:
    settings = {"tune": "prototypes", "selection": "last", "max_steps": 20, "learning_rate": 0.01, **method}
    result = pouf_core.adapt(paths, CLASS_NAMES, base_model=model, method=settings, out=out)
    return load_artifact(result.path).tensors


def moved(tensors: dict[str, Tensor]) -> float:
    """Root mean square distance of the prototypes from their zero-shot places."""
    return float((tensors["prototypes.adapted"] - tensors["prototypes.zero_shot"]).square().sum(dim=1).mean().sqrt())


def test_only_the_prototypes_move_and_stay_of_unit_length(tiny_clip, picture_paths, tmp_path):
    before = {name: tensor.clone() for name, tensor in tiny_clip.network.state_dict().items()}
    tensors = adapt(tiny_clip, picture_paths, tmp_path / "model")
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny_clip.network.state_dict().items())
    assert moved(tensors) > 0
    assert torch.allclose(tensors["prototypes.adapted"].norm(dim=1), torch.ones(len(CLASS_NAMES)), atol=1e-6)
    assert torch.equal(tensors["logit_scale.adapted"], tensors["logit_scale.zero_shot"])
    offsets = tensors["trained.prototype_offsets"]
    expected = torch.nn.functional.normalize(tensors["prototypes.zero_shot"] + offsets, dim=1)
    assert torch.allclose(tensors["prototypes.adapted"], expected, atol=1e-6)


def test_a_heavier_anchor_holds_them_nearer_to_zero_shot(tiny_clip, picture_paths, tmp_path):
    distances = [
        moved(adapt(tiny_clip, picture_paths, tmp_path / str(weight), anchor_weight=weight)) for weight in (0, 10, 1000)
    ]
    assert distances[0] > 2 * distances[1] > 4 * distances[2]


def test_an_anchor_holds_learned_prompts_too(tiny_clip, picture_paths, tmp_path):
    free, held = (
        moved(adapt(tiny_clip, picture_paths, tmp_path / str(weight), tune="prompt", anchor_weight=weight))
        for weight in (0, 1000)
    )
    assert free > 2 * held


def test_the_same_run_gives_the_same_prototypes(tiny_clip, picture_paths, tmp_path):
    first, again = (adapt(tiny_clip, picture_paths, tmp_path / name) for name in ("first", "again"))
    assert torch.equal(first["prototypes.adapted"], again["prototypes.adapted"])


def test_a_template_without_words_is_enough(tiny_clip, picture_paths, tmp_path):
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=tiny_clip,
        prompt_template="{}",
        method={"tune": "prototypes", "selection": "last", "max_steps": 2},
        out=tmp_path / "model",
    )
    assert moved(load_artifact(result.path).tensors) > 0


@pytest.mark.parametrize(
    ("method", "field"),
    [
        ({"tune": "head", "anchor_weight": 3}, "/method/anchor_weight"),
        ({"tune": "prototypes", "logit_scale_learning_rate": 0.1}, "/method/logit_scale_learning_rate"),
        ({"tune": "prototypes", "context": "per_class"}, "/method/context"),
    ],
)
def test_settings_of_other_modes_are_refused(tiny_clip, picture_paths, method, field):
    with pytest.raises(InvalidInput) as caught:
        pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=tiny_clip, method=method)
    assert caught.value.field == field


def test_the_classes_go_through_the_text_tower_once_unless_the_towers_are_trained(
    tiny_clip: ClipLikeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = AdaptationRequest.of(class_names=CLASS_NAMES).check(tiny_clip.description)
    model = tiny_clip.copy().prompted(request)
    encoded = []
    encode = type(tiny_clip).prototypes
    monkeypatch.setattr(type(tiny_clip), "prototypes", lambda *args: encoded.append(1) or encode(*args))
    first = model.zero_shot()
    learner = model.learner(resolved("prototypes"))
    assert torch.allclose(learner.classifier().prototypes, first.prototypes)
    assert len(encoded) == 1
    model.learner(resolved("model"))
    model.zero_shot()
    assert len(encoded) == 2
