"""Context vectors stand where the template's words stood, and change nothing until they are trained."""

from __future__ import annotations

import pytest
import torch

from pouf_core.backbones.clip_like import ClipLikeModel
from pouf_core.classes import fill, parse_class_names
from pouf_core.errors import InvalidInput
from pouf_core.prompts import build_prompts

NAMES = ["cat", "musical instrument", "smiley face", {"name": "x", "prompt": "hammer, saw & other tools"}]
TEMPLATES = ["a photo of a {}.", "{}", "{} texture", "a photo of the large {}, a type of clip art.", "art:{}!"]


@pytest.fixture(params=["tiny_clip", "pouf_lite"])
def model(request: pytest.FixtureRequest) -> ClipLikeModel:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("template", TEMPLATES)
def test_untrained_prompts_equal_the_models_own_text_features(model: ClipLikeModel, template: str) -> None:
    classes = parse_class_names(NAMES)
    prompts = build_prompts(classes, [template], model.tokenizer)
    with torch.no_grad():
        context = model.initial_context(prompts)
        learned = model.prototypes(prompts, context)
        whole_length = model.tokenizer([fill(template, item.wording) for item in classes])
        own = model.network.encode_text(whole_length, normalize=True)
    assert torch.allclose(learned, own, atol=1e-5)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("a photo of a {}.", ["a", "photo", "of", "a"]),
        ("{} texture", ["texture"]),
        ("the {} in a photo!", ["the", "in", "a", "photo"]),
        ("{}.", []),
    ],
)
def test_context_takes_the_words_and_leaves_punctuation(model: ClipLikeModel, template: str, words: list[str]) -> None:
    prompts = build_prompts(parse_class_names(NAMES), [template], model.tokenizer)
    decoded = [model.tokenizer.decode(int(token)).strip() for token in prompts.context_tokens]
    assert decoded == words
    for row in prompts.placement:
        assert row[row >= 0].tolist() == list(range(len(words)))


def test_every_context_vector_moves_the_prototypes_and_class_tokens_stay(model: ClipLikeModel) -> None:
    prompts = build_prompts(parse_class_names(NAMES), ["a photo of a {} indoors."], model.tokenizer)
    context = model.initial_context(prompts).requires_grad_()
    prototypes = model.prototypes(prompts, context)
    (prototypes * torch.randn(prototypes.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert context.grad is not None
    assert (context.grad.norm(dim=1) > 0).all()
    same = prompts.tokens[prompts.placement >= 0].view(len(NAMES), -1)
    assert (same == same[0]).all()


def test_an_ensemble_is_the_mean_of_its_unit_features(model: ClipLikeModel) -> None:
    classes = parse_class_names(NAMES)
    templates = ["a photo of a {}.", "a drawing of one {}"]
    with torch.no_grad():
        together = model.prototypes(build_prompts(classes, templates, model.tokenizer))
        apart = [model.prototypes(build_prompts(classes, [template], model.tokenizer)) for template in templates]
    mean = torch.stack(apart).mean(dim=0)
    assert torch.allclose(together, mean / mean.norm(dim=1, keepdim=True), atol=1e-5)


def test_templates_of_an_ensemble_learn_contexts_of_their_own(tiny_clip: ClipLikeModel) -> None:
    prompts = build_prompts(parse_class_names(NAMES), ["a photo of a {}.", "a {} drawn"], tiny_clip.tokenizer)
    first, second = prompts.placement.split(len(NAMES))
    assert set(first[first >= 0].tolist()) == {0, 1, 2, 3}
    assert set(second[second >= 0].tolist()) == {4, 5}


def test_over_long_prompts_are_refused_with_the_class(tiny_clip: ClipLikeModel) -> None:
    classes = parse_class_names(["cat", "very " * 80 + "long"])
    with pytest.raises(InvalidInput) as caught:
        build_prompts(classes, ["a photo of a {}."], tiny_clip.tokenizer)
    assert caught.value.code == "class_name_too_long"
    assert caught.value.field == "/class_names/1"


def test_class_names_that_run_into_template_words_are_refused(tiny_clip: ClipLikeModel) -> None:
    with pytest.raises(InvalidInput) as caught:
        build_prompts(parse_class_names(["cat", "dog"]), ["a photo of {}s."], tiny_clip.tokenizer)
    assert caught.value.code == "template_not_separable"
