"""Twenty steps of the masked-LM recipe against `tests/reference`, in double precision; and never a supervised loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pouf_core.classes import parse_class_names
from pouf_core.language.encoder import Encoded, Encoder
from pouf_core.language.label_bias import label_word_bias, null_items
from pouf_core.language.model import LanguageModel
from pouf_core.language.parameters import trained_parameters
from pouf_core.language.recipe import PAPER, LanguageTraining
from pouf_core.language.scores import LabelWords, score
from pouf_core.language.template import TextItem, parse_template
from tests.pouf_core.language.tiny_models import FAMILIES, WIDTH, WORDS
from tests.reference.masked_lm import Recipe, tune

STEPS, TOLERANCE = 20, 1e-6
CLASSES = parse_class_names(["negative", "neutral", "positive"])
LABELS = [("terrible",), ("okay",), ("great",)]
TEXTS = [TextItem(" ".join(WORDS[index : index + 2 + index % 4])) for index in range(10)]


def prepared(model: LanguageModel) -> tuple[Encoder, list[Encoded], LabelWords]:
    encoder = model.encoder(parse_template("{text} It was {mask}."), LABELS, CLASSES)
    items = [encoder(item, "/inputs/0", with_context=True) for item in TEXTS]
    return encoder, items, LabelWords.of(encoder.word_ids)


def batches_of(items: list[Encoded]) -> list[list[Encoded]]:
    return [[items[(2 * step) % 10], items[(2 * step + 1) % 10]] for step in range(STEPS)]


@pytest.fixture(scope="module")
def moved(masked: Callable[[str], LanguageModel]) -> dict[str, Tensor]:
    model = masked("bert")
    model.network.double()
    _, items, words = prepared(model)
    parameters = trained_parameters(model.network, "model")
    before = {name: value.detach().clone() for name, value in parameters.items()}
    training = LanguageTraining(model, words, parameters.values())
    for batch in batches_of(items):
        training.step(model.batch(batch))
    return {name: value.detach() - before[name] for name, value in parameters.items()}


def expected(model: LanguageModel, directory: Path, recipe: Recipe) -> dict[str, Tensor]:
    encoder, items, _ = prepared(model)
    batches = [[(list(item.ids), item.position) for item in batch] for batch in batches_of(items)]
    words = [own[0] for own in encoder.word_ids]
    saved = load_file(directory / "model.safetensors")
    return tune(saved, batches, words, WIDTH["num_attention_heads"], recipe)


def largest_error(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """In units of the largest displacement."""
    assert found.keys() == wanted.keys()
    largest = max(value.abs().max().item() for value in wanted.values())
    return max((found[name] - value).abs().max().item() for name, value in wanted.items()) / largest


def test_twenty_steps_move_every_weight_as_the_reference_recipe_does(
    moved: dict[str, Tensor],
    masked: Callable[[str], LanguageModel],
    masked_directory: Callable[[str], Path],
) -> None:
    assert PAPER.batch_size == 2
    wanted = expected(masked("bert"), masked_directory("bert"), Recipe())
    assert all(value.abs().max() > 0 for name, value in wanted.items() if not name.endswith("key.bias"))
    assert largest_error(moved, wanted) <= TOLERANCE


@pytest.mark.parametrize("left_out", ["clip", "decay", "bias"])
def test_the_comparison_sees_what_a_recipe_leaves_out(
    moved: dict[str, Tensor],
    masked: Callable[[str], LanguageModel],
    masked_directory: Callable[[str], Path],
    left_out: str,
) -> None:
    poorer = expected(masked("bert"), masked_directory("bert"), Recipe(**{left_out: False}))
    assert largest_error(moved, poorer) > 100 * TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", ["model", "norm", "prompt"])
def test_a_step_trains_what_the_mode_says_and_never_a_supervised_loss(
    masked: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch, family: str, mode: str
) -> None:
    model = masked(family)
    encoder, items, words = prepared(model)
    seen: list[bool] = []

    def look(_module: nn.Module, _inputs: Any, named: dict[str, Any]) -> None:
        seen.append(named.get("labels") is not None)

    for module in model.network.modules():
        module.register_forward_pre_hook(look, with_kwargs=True)
    monkeypatch.setattr(nn.functional, "cross_entropy", lambda *_, **__: pytest.fail("a supervised loss"))
    parameters = trained_parameters(model.network, mode)
    context = nn.Parameter(model.initial_context(encoder)) if mode == "prompt" else None
    before = {name: value.detach().clone() for name, value in model.network.named_parameters()}
    start = None if context is None else context.detach().clone()
    trained = [*parameters.values(), *([] if context is None else [context])]
    LanguageTraining(model, words, trained, context=context).step(model.batch(items[:4]))
    assert seen and not any(seen)
    changed = {name for name, value in model.network.named_parameters() if not torch.equal(value, before[name])}
    assert changed <= parameters.keys()
    assert bool(changed) is (mode != "prompt")
    if context is not None:
        assert start is not None and (context != start).any(dim=1).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_an_untrained_context_changes_nothing(masked: Callable[[str], LanguageModel], family: str) -> None:
    model = masked(family)
    encoder, items, _ = prepared(model)
    batch = model.batch(items[:3])
    with torch.no_grad():
        own = model.features(batch)
        assert torch.equal(model.features(batch, model.initial_context(encoder)), own)
        assert not torch.equal(model.features(batch, model.initial_context(encoder) + 1), own)


def test_null_inputs_lean_to_no_class_once_their_bias_is_taken_off(masked: Callable[[str], LanguageModel]) -> None:
    model = masked("bert")
    encoder, _, words = prepared(model)
    batch = model.batch([encoder(item, "/null") for item in null_items(takes_pairs=False)][:1])
    with torch.no_grad():
        features = model.features(batch)
        leaning = score(features, model.head, words).class_logits
        fair = score(features, model.head, words, label_word_bias(leaning)).class_logits.softmax(dim=1)
    assert leaning.softmax(dim=1).max() > 0.4
    assert torch.allclose(fair, torch.full_like(fair, 1 / 3), atol=1e-6)
