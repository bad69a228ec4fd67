"""Steps and whole adaptations use the transport that they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import pouf_core
from pouf_core import transport as module
from pouf_core.adaptation.step import BatchGradient
from pouf_core.contract.classes import parse_class_names
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.transport import build_transport
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.transports import OPTIMAL, resolved


class _FixedFeatures:
    def __init__(self, features: Tensor) -> None:
        self._features = features

    def expect(self, draws: list[tuple[int, int]], following: list[tuple[int, int]]) -> None:
        pass

    def features(self, draws: list[tuple[int, int]]) -> Tensor:
        return self._features[[index for index, _ in draws]]


@pytest.mark.parametrize("name", ["conditional", *OPTIMAL])
def test_a_step_gives_the_transport_the_classes_shares(tiny_clip: ClipLikeModel, name: str) -> None:
    shares = [0.7, 0.2, 0.1]
    method = resolved(tune="prompt", transport=name, class_prior=shares)
    prompts = build_prompts(parse_class_names(CLASS_NAMES), ["a photo of a {}."], tiny_clip.tokenizer)
    learner = Learner(tiny_clip, prompts, method)
    features = torch.nn.functional.normalize(torch.randn(8, 32, generator=torch.Generator().manual_seed(0)), dim=1)
    draws = [(index, 0) for index in range(8)]
    objective = BatchGradient(learner, _FixedFeatures(features), method, lambda: None)(draws, None, 8)
    scores = learner.classifier()(features)
    similarity, logits = scores.similarity.detach(), scores.plan_logits.detach()
    transport = build_transport(method)
    expected = transport(similarity, logits, torch.tensor(shares)).value
    assert objective.transport.value.item() == pytest.approx(expected.item(), abs=1e-6)
    uniform = transport(similarity, logits, None).value
    assert abs(uniform.item() - expected.item()) > 1e-5


@pytest.mark.parametrize("name", ["conditional", "emd"])
def test_an_adaptation_uses_the_transport_it_is_asked_for(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, name: str
) -> None:
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"tune": "head", "transport": name, "max_steps": 3, "batch_size": 8, "selection": "last"},
        out=tmp_path / "model",
    )
    assert result.method["transport"] == name
    assert result.warnings == []
    assert len({step["transport"] for step in result.metrics}) == 3
    assert ("transport_cost" in result.metrics[0]) == (name != "conditional")


def test_an_unconverged_plan_is_a_warning_of_the_adaptation_given_once(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ITERATIONS", 1)
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"transport": "sinkhorn", "sinkhorn_regularization": 0.001, "max_steps": 3, "selection": "last"},
        out=tmp_path / "model",
    )
    assert [warning["code"] for warning in result.warnings].count("transport_not_converged") == 1
