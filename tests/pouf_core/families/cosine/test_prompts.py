"""Context vectors stand where the template's words stood, and change nothing until they are trained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import pouf_core
from pouf_core.artifact import load_artifact
from pouf_core.contract.classes import fill, parse_class_names
from pouf_core.contract.method import MethodSpec, parse_method
from pouf_core.contract.method_checks import method_problems
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.learned_context import initial_context, learned_prompts, random_template
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.cosine.tokenizer import TextTokenizer
from tests.pouf_core.conftest import CLASS_NAMES

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


def test_letters_that_touch_the_placeholder_belong_to_the_class_name(model: ClipLikeModel) -> None:
    classes = parse_class_names(["cat", "dog"])
    prompts = build_prompts(classes, ["a photo of {}s."], model.tokenizer)
    decoded = [model.tokenizer.decode(int(token)).strip() for token in prompts.context_tokens]
    assert decoded == ["a", "photo", "of"]
    with torch.no_grad():
        learned = model.prototypes(prompts, model.initial_context(prompts))
        own = model.network.encode_text(model.tokenizer(["a photo of cats.", "a photo of dogs."]), normalize=True)
    assert torch.allclose(learned, own, atol=1e-5)


def test_underscores_read_as_spaces_in_baseline_and_tuned_prompts_alike(model: ClipLikeModel) -> None:
    written, spoken = (
        build_prompts(parse_class_names([name, "cat"]), ["a photo of a {}."], model.tokenizer)
        for name in ("musical_instrument", "musical instrument")
    )
    assert torch.equal(written.tokens, spoken.tokens)
    assert torch.equal(written.placement, spoken.placement)


def test_class_names_of_many_tokens_keep_every_one_of_them(model: ClipLikeModel) -> None:
    long = "a very long name of a class, told in many words, with marks; 12 numbers & antidisestablishmentarianism"
    classes = parse_class_names([long, "cat"])
    prompts = build_prompts(classes, ["a photo of a {}."], model.tokenizer)
    with torch.no_grad():
        learned = model.prototypes(prompts, model.initial_context(prompts))
        own = model.network.encode_text(model.tokenizer([f"a photo of a {long}.", "a photo of a cat."]), normalize=True)
    assert torch.allclose(learned, own, atol=1e-5)
    assert prompts.placement[0].max() == prompts.placement[1].max() == 3


@pytest.mark.parametrize("template", ["{} in the wild", "the {} there", "a photo of a {}", '"{}"', "art:{}!"])
def test_baseline_and_tuned_model_are_given_one_string(model: ClipLikeModel, template: str) -> None:
    classes = parse_class_names(NAMES)
    spec = MethodSpec(tune="prompt")
    baseline = build_prompts(classes, [template], model.tokenizer)
    tuned = learned_prompts(classes, [template], model.tokenizer, spec)
    assert torch.equal(baseline.tokens, model.tokenizer([fill(template, item.wording) for item in classes]))
    assert torch.equal(tuned.tokens, baseline.tokens)


def test_contexts_per_class_start_alike_and_learn_apart(model: ClipLikeModel) -> None:
    classes = parse_class_names(NAMES)
    templates = ["a photo of a {}.", "the {} drawn"]
    shared = build_prompts(classes, templates, model.tokenizer)
    apart = learned_prompts(classes, templates, model.tokenizer, MethodSpec(tune="prompt", context="per_class"))
    assert len(apart.context_tokens) == len(classes) * len(shared.context_tokens)
    with torch.no_grad():
        separate, common = (model.prototypes(item, model.initial_context(item)) for item in (apart, shared))
    assert torch.equal(separate, common)
    context = model.initial_context(apart).requires_grad_()
    model.prototypes(apart, context)[1].sum().backward()
    assert context.grad is not None
    moved = set(context.grad.abs().sum(dim=1).nonzero().flatten().tolist())
    assert moved == {4, 5, 6, 7, 4 * len(classes) + 2, 4 * len(classes) + 3}  # class 1 in either template


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("a photo of a {}.", "a a a a a {}."),
        ("{} texture!", "{} a a a a a!"),
        ("the {} in a photo", "a a a {} a a"),
        ("{}.", "a a a a a {}."),
        ("{}", "a a a a a {}"),
    ],
)
def test_random_vectors_stand_on_the_templates_sides(template: str, words: str) -> None:
    assert random_template(template, 5) == words


@pytest.mark.parametrize("context", ["shared", "per_class"])
def test_random_contexts_have_the_asked_length_the_models_scale_and_follow_the_seed(
    model: ClipLikeModel, context: str
) -> None:
    classes = parse_class_names(NAMES)
    spec = MethodSpec.model_validate(
        {"tune": "prompt", "context": context, "context_init": "random", "context_length": 16}
    )
    prompts = learned_prompts(classes, ["a photo of a {}."], model.tokenizer, spec)
    copies = len(classes) if context == "per_class" else 1
    assert ((prompts.placement >= 0).sum(dim=1) == 16).all()
    vectors = [initial_context(model, prompts, spec, seed) for seed in (0, 0, 1)]
    assert vectors[0].shape == (16 * copies, model.text.input_embedding.embedding_dim)
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.equal(vectors[0], vectors[2])
    with torch.no_grad():
        embedded = model.text.input_embedding(prompts.tokens.unique())
    assert float(vectors[0].std() / embedded.pow(2).mean().sqrt()) == pytest.approx(1, abs=0.15)
    assert torch.isfinite(model.prototypes(prompts, vectors[0])).all()


def test_more_random_vectors_than_fit_are_refused_at_their_own_field(tiny_clip: ClipLikeModel) -> None:
    spec = MethodSpec(tune="prompt", context_init="random", context_length=64)
    with pytest.raises(InvalidInput) as caught:
        learned_prompts(parse_class_names(["cat", "very " * 12 + "long"]), ["a {}."], tiny_clip.tokenizer, spec)
    assert (caught.value.code, caught.value.field) == ("context_too_long", "/method/context_length")
    assert "very very" in caught.value.message


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"tune": "model", "context": "per_class"}, "/method/context"),
        ({"tune": "head", "context_init": "random"}, "/method/context_init"),
        ({"tune": "norm", "context_length": 4}, "/method/context_length"),
        ({"tune": "prompt", "context_length": 4}, "/method/context_length"),
    ],
)
def test_contradictory_context_settings_are_refused_at_the_field(settings: dict[str, object], field: str) -> None:
    (problem,) = method_problems(MethodSpec.model_validate(settings), 3)
    assert (problem.code, problem.field) == ("invalid_method", field)


@pytest.mark.parametrize("length", [0, 65, 2.5])
def test_context_lengths_out_of_range_are_refused(length: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_method({"context_init": "random", "context_length": length})
    assert caught.value.field == "/method/context_length"


class _MergingTokenizer:
    """Letters, except that a t and the mark behind it are one token."""

    def __call__(self, texts: list[str], context_length: int | None = None) -> torch.Tensor:
        rows = torch.zeros(len(texts), context_length or 32, dtype=torch.long)
        for row, text in enumerate(texts):
            pieces = re.findall(r"t!|\S", text)
            ids = [1, *(999 if piece == "t!" else ord(piece) for piece in pieces), 2]
            rows[row, : len(ids)] = torch.tensor(ids)
        return rows

    def decode(self, ids: list[int]) -> str:
        return "".join("t!" if item == 999 else chr(item) for item in ids)


def test_class_names_that_run_into_the_template_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        build_prompts(parse_class_names(["dog", "cat"]), ["a {}! here"], TextTokenizer(_MergingTokenizer()))
    assert (caught.value.code, caught.value.field) == ("template_not_separable", "/prompt_template")
    assert "'cat'" in caught.value.message


def test_a_random_context_per_class_is_adapted_beside_the_templates_own_baseline(
    tiny_clip_directory: Path, tiny_clip: ClipLikeModel, picture_paths: list[Path], tmp_path: Path
) -> None:
    random_context = {"context": "per_class", "context_init": "random", "context_length": 3}
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method=random_context | {"max_steps": 2, "selection": "last"},
        out=tmp_path / "model",
    )
    tensors = load_artifact(result.path).tensors
    assert tensors["trained.context"].shape == (9, tiny_clip.text.input_embedding.embedding_dim)
    assert result.method["context_length"] == 3
    with torch.no_grad():
        baseline = tiny_clip.prototypes(
            build_prompts(parse_class_names(CLASS_NAMES), ["a photo of a {}."], tiny_clip.tokenizer)
        )
    assert torch.allclose(tensors["prototypes.zero_shot"], baseline, atol=1e-6)
    assert not torch.allclose(tensors["prototypes.adapted"], baseline, atol=1e-2)
    assert pouf_core.load(result.path).predict(picture_paths[:1])[0].label in CLASS_NAMES
