"""Every family of open_clip and transformers: the model's own text features, exact cuts, and what each mode trains."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pouf_core.adaptation.features import ComputedFeatures
from pouf_core.contract.classes import fill, parse_class_names
from pouf_core.data.items import collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.cosine.trained_parameters import trained_parameters
from pouf_core.families.loading import load_base_model
from pouf_core.objective import pouf_objective
from pouf_core.system.runtime import deterministic_algorithms
from tests.pouf_core.architecture_case import Family
from tests.pouf_core.architecture_cases import FAMILIES, save_family
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.training import resolved, run_loop, views_of

NAMES = ["cat", "musical instrument", "smiley face", {"name": "x", "prompt": "hammer, saw & other tools"}]
TEMPLATES = ["a photo of a {}.", "the {} in a photo!"]
NORM_NAME = re.compile(r"(^|\.)[a-z_]*(norm|ln_|LayerNorm|layer_norm|bn)[a-z0-9_]*\.(weight|bias)$")
NORM_WITHOUT_NAME = re.compile(
    r"(layer\d\.\d\.downsample\.1|trunk\.stem\.1|trunk\.stages\.\d\.downsample\.0|\.identity)\.(weight|bias)$"
)  # in ResNet, ConvNeXt and FastViT
NO_CLASSIFIER = {"logit_scale", "logit_bias"}


@pytest.fixture(scope="session")
def family_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ClipLikeModel]:
    """Loads a family's instance as any base model is loaded, once; every call gives a network of its own."""
    root: Path = tmp_path_factory.mktemp("families")
    loaded: dict[str, ClipLikeModel] = {}

    def load(name: str) -> ClipLikeModel:
        if name not in loaded:
            loaded[name] = load_base_model(FAMILIES[name].spec(save_family(FAMILIES[name], root / name)))
        return loaded[name].with_network(copy.deepcopy(loaded[name].network))

    return load


@pytest.mark.parametrize("name", FAMILIES)
def test_untrained_prompts_equal_the_models_own_text_features(
    family_model: Callable[[str], ClipLikeModel], name: str
) -> None:
    model = family_model(name)
    classes = parse_class_names(NAMES)
    for template in TEMPLATES:
        prompts = build_prompts(classes, [template], model.tokenizer)
        assert len(prompts.context_tokens) >= 4
        with torch.no_grad():
            learned = model.prototypes(prompts, model.initial_context(prompts))
            texts = [fill(template, item.wording) for item in classes]
            features = model.network.encode_text(model.tokenizer(texts))
            if FAMILIES[name].processor is None:
                own = model.network.encode_text(model.tokenizer(texts), normalize=True)
                assert torch.allclose(learned, own if torch.is_tensor(own) else own[0], atol=1e-5)
        assert torch.allclose(learned, torch.nn.functional.normalize(features, dim=1), atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_prompts_are_cut_only_where_it_leaves_the_features_alone(
    family_model: Callable[[str], ClipLikeModel], name: str
) -> None:
    model = family_model(name)
    tokens = model.tokenizer(["a cat", "a photo of a musical instrument"])
    cut = model.text.cut(tokens)
    assert (cut.shape[1] < tokens.shape[1]) is FAMILIES[name].cuts
    with torch.no_grad():
        whole = model.network.encode_text(tokens)
        assert torch.allclose(model.text(cut), whole, rtol=0, atol=1e-5)
        assert (whole[0] - whole[1]).abs().max() > 1e-4


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if not family.cuts])
def test_towers_that_attend_to_padding_would_notice_a_cut(
    family_model: Callable[[str], ClipLikeModel], name: str
) -> None:
    model = family_model(name)
    tokens = model.tokenizer(["a cat"])
    live = model.tokenizer.live_lengths(tokens)[0]
    assert live < tokens.shape[1]
    changed = tokens.clone()
    changed[0, live + 1] = 7
    with torch.no_grad():
        difference = model.network.encode_text(tokens) - model.network.encode_text(changed)
    assert difference.abs().max() > 1e-5


@pytest.mark.parametrize("tune", ["prompt", "head", "last_n", "norm", "model"])
@pytest.mark.parametrize("name", FAMILIES)
def test_one_step_changes_exactly_what_the_mode_trains(
    family_model: Callable[[str], ClipLikeModel], picture_paths: list[Path], name: str, tune: str
) -> None:
    model = family_model(name)
    before = {key: tensor.clone() for key, tensor in model.network.state_dict().items()}
    method = resolved(tune, max_steps=1, batch_size=4, learning_rate=1e-3)  # weight decay alone is seen, too
    items, _ = collect_items(picture_paths)
    prompts = build_prompts(parse_class_names(CLASS_NAMES), ["a photo of a {}."], model.tokenizer)
    learner = Learner(model, prompts, method)
    context = learner.tensors().get("context")
    with deterministic_algorithms(True):  # no family needs an operation that has no deterministic form
        run_loop(learner, ComputedFeatures(model, items, views_of(model), views=2), method)
    after = model.network.state_dict()
    changed = {key for key, tensor in before.items() if not torch.equal(tensor, after[key])}
    assert changed == expected_changes(FAMILIES[name], tune, {key for key, _ in model.network.named_parameters()})
    if tune == "prompt":
        assert context is not None
        assert (learner.tensors()["context"] != context).any(dim=1).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_prototypes_of_a_trained_projection_equal_those_of_the_whole_tower(
    family_model: Callable[[str], ClipLikeModel], name: str
) -> None:
    model = family_model(name)
    prompts = model.placed(build_prompts(parse_class_names(NAMES), TEMPLATES, model.tokenizer))
    projected = model.projected_prototypes(prompts)
    parameters = trained_parameters(model.network, "head")
    on_text = [value for key, value in parameters.items() if not key.startswith("visual.")]
    direction = torch.randn(projected().shape, generator=torch.Generator().manual_seed(0))
    gradients = []
    with torch.no_grad():
        for value in on_text:
            value.add_(0.1 * torch.randn_like(value))
    for prototypes in (projected, lambda: model.prototypes(prompts)):
        for value in on_text:
            value.requires_grad_(True)
        gradients.append(torch.autograd.grad((prototypes() * direction).sum(), on_text) if on_text else ())
        assert torch.allclose(projected(), model.prototypes(prompts), atol=1e-6)
    for first, second in zip(*gradients, strict=True):
        assert torch.allclose(first, second, atol=1e-5)


def expected_changes(family: Family, tune: str, names: set[str]) -> set[str]:
    """By the names that the family's description gives, not by the code under test."""

    def under(prefixes: set[str]) -> set[str]:
        return {name for name in names if any(name == item or name.startswith(item) for item in prefixes)}

    heads = under(family.head)
    assert heads
    wanted = {
        "prompt": set[str](),
        "head": heads,
        "last_n": heads | under(family.last),
        "norm": {name for name in names if is_norm_name(name)},
        "model": names - NO_CLASSIFIER,
    }[tune]
    return wanted - under(family.unused)


def is_norm_name(name: str) -> bool:
    return bool(NORM_NAME.search(name) or NORM_WITHOUT_NAME.search(name))


def test_the_constant_bias_of_sigmoid_models_changes_neither_loss_nor_gradient(
    family_model: Callable[[str], ClipLikeModel],
) -> None:
    model = family_model("siglip")
    bias = float(model.network.logit_bias)
    assert bias == -10
    generator = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(6, 5, generator=generator, dtype=torch.float64), dim=1)
    prototypes = torch.nn.functional.normalize(torch.randn(4, 5, generator=generator, dtype=torch.float64), dim=1)

    def loss_and_gradient(shift: float) -> tuple[Tensor, Tensor]:
        moved = features.clone().requires_grad_()
        similarity = moved @ prototypes.T
        logits = 20 * similarity + shift
        loss = pouf_objective(similarity, logits, logits).loss
        return loss.detach(), torch.autograd.grad(loss, moved)[0]

    for with_bias, without in zip(loss_and_gradient(bias), loss_and_gradient(0.0), strict=True):
        assert torch.allclose(with_bias, without, rtol=1e-12, atol=1e-14)


def test_layer_scale_is_no_normalisation(family_model: Callable[[str], ClipLikeModel]) -> None:
    network = family_model("vit-layerscale-quickgelu").network
    assert any(name.endswith(".ls_1.gamma") for name, _ in network.named_parameters())
    assert not any("gamma" in name for name in trained_parameters(network, "norm"))


@pytest.mark.parametrize(
    ("name", "separate"), [("convnext", True), ("eva02", False), ("siglip", False), ("vit", True), ("resnet", False)]
)
def test_a_trunk_runs_alone_only_where_everything_that_head_trains_comes_after_it(
    family_model: Callable[[str], ClipLikeModel], name: str, separate: bool
) -> None:
    model = family_model(name)
    assert model.has_separate_projection is separate
    if separate:
        pixels = torch.rand(2, 3, model.image_size, model.image_size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            assert torch.allclose(model.project(model.encode_trunk(pixels)), model.encode_images(pixels), atol=1e-6)
