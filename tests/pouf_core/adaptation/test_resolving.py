"""What a method means for a model and its data: presets, rates, and settings that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import pouf_core
from pouf_core.adaptation.optimisation import schedule_factor
from pouf_core.contract.classes import parse_class_names
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.prompts import build_prompts
from tests.pouf_core.conftest import CLASS_NAMES, draw_shape
from tests.pouf_core.training import resolved


def test_paper_preset_resolves_to_the_published_numbers() -> None:
    prompt, model = resolved("prompt", preset="paper"), resolved("model", preset="paper")
    assert (prompt.optimizer, prompt.learning_rate, prompt.logit_scale_learning_rate) == ("sgd", 1e-3, 5e-7)
    assert (model.learning_rate, model.momentum, model.weight_decay) == (5e-7, 0.9, 1e-3)
    assert (prompt.max_steps, prompt.augmentation, prompt.views) == (5000, "reference", 0)
    assert (prompt.transport_weight, prompt.mutual_information_weight) == (1.0, 0.3)
    assert prompt.drop_last
    assert prompt.selection == "last"
    assert schedule_factor(prompt)(100) == pytest.approx(1.02**-0.75)


def test_marginal_of_small_batches_is_completed_by_earlier_ones() -> None:
    assert resolved("prompt", batch_size=12).marginal_momentum == 0
    assert resolved("prompt", batch_size=3).marginal_momentum == pytest.approx(0.75)
    assert resolved("prompt", batch_size=3, preset="paper").marginal_momentum == 0


def test_projections_learn_faster_than_towers_by_default_and_alike_in_the_paper(tiny_clip: ClipLikeModel) -> None:
    prompts = build_prompts(parse_class_names(CLASS_NAMES), ["a photo of a {}."], tiny_clip.tokenizer)
    for preset, factor in (("default", 2), ("paper", 1)):
        towers, projections = Learner(tiny_clip, prompts, resolved("model", preset=preset)).parameter_groups()[:2]
        assert projections.learning_rate == pytest.approx(factor * towers.learning_rate)
        assert {tuple(item.shape) for item in projections.parameters} == {(64, 32), (32, 32)}


def test_context_rate_follows_the_models_embedding_scale_outside_the_paper() -> None:
    assert resolved("prompt").learning_rate == pytest.approx(0.16 * 0.05)
    assert resolved("prompt", preset="paper").learning_rate == 1e-3
    assert resolved("prompt", learning_rate=0.5).learning_rate == 0.5


def test_explicit_values_win_over_the_preset() -> None:
    method = resolved("prompt", learning_rate=0.5, max_steps=3, batch_size=6, mutual_information_weight=0)
    assert (method.learning_rate, method.max_steps, method.batch_size) == (0.5, 3, 6)
    assert method.mutual_information_weight == 0


@pytest.mark.parametrize("prior", [[0.5, 0.5], [0.5, 0.5, 0.0], [0.5, 0.4, 0.2], [1.5, -0.25, -0.25]])
def test_impossible_priors_are_refused(prior: list[float]) -> None:
    with pytest.raises(InvalidInput) as caught:
        pouf_core.adapt([draw_shape("circle", 1)], CLASS_NAMES, method={"class_prior": prior})
    assert (caught.value.code, caught.value.field) == ("invalid_class_prior", "/method/class_prior")


@pytest.mark.parametrize("values", [{"tune": "everything"}, {"batch_size": 0}, {"batchsize": 8}, {"learning_rate": -1}])
def test_unknown_and_impossible_settings_are_refused_by_name(values: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        pouf_core.adapt([draw_shape("circle", 1)], CLASS_NAMES, method=values)
    assert (caught.value.code, caught.value.field) == ("invalid_method", f"/method/{next(iter(values))}")


def test_a_template_without_words_leaves_nothing_to_tune(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as caught:
        pouf_core.adapt(
            picture_paths,
            CLASS_NAMES,
            base_model=f"open_clip:{tiny_clip_directory}",
            prompt_template="{}",
            method={"tune": "prompt"},
            out=tmp_path / "model",
        )
    assert caught.value.code == "nothing_to_tune"
