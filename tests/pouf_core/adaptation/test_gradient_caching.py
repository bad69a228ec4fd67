"""The gradient of a batch encoded in micro-batches is that of the batch encoded at once."""

from __future__ import annotations

import json
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from pouf_core.adaptation.features import ComputedFeatures
from pouf_core.adaptation.resolving import resolve
from pouf_core.adaptation.step import BatchGradient
from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.method import MethodSpec, ResolvedMethod
from pouf_core.data.items import Item, collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.open_clip_loading import open_clip
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.loading import load_base_model
from tests.pouf_core.conftest import CLASS_NAMES, PREPROCESSING, TINY_CLIP

ITEMS = 24
DOUBLE_BOUND = 1e-6
SINGLE_BOUND = 1e-5
RESNET = {**TINY_CLIP, "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}}


class DoubleViews(ImageViews):
    """The product's own views, in double precision."""

    def view(self, item: Item, number: int) -> Tensor:
        return super().view(item, number).double()


def resolved(tune: str, **settings: object) -> ResolvedMethod:
    spec = MethodSpec.model_validate({"tune": tune, "class_prior": "uniform", **settings})
    return resolve(
        spec,
        torch.full((len(CLASS_NAMES),), 1 / len(CLASS_NAMES)),
        item_count=ITEMS,
        kind="image",
        context_scale=0.05,
        device=torch.device("cpu"),
        threads=1,
        micro_batch_size=None,
    )


def gradients(
    model: ClipLikeModel,
    paths: Sequence[Path],
    method: ResolvedMethod,
    micro_batch_size: int,
    *,
    running_marginal: Tensor | None = None,
    only: range = range(ITEMS),
) -> dict[str, Tensor]:
    """Gradients of one batch of freshly drawn views, by parameter."""
    model.network.zero_grad()
    prompts = build_prompts(parse_class_names(CLASS_NAMES), ["a photo of a {}."], model.tokenizer)
    views = DoubleViews if model.logit_scale.dtype == torch.float64 else ImageViews
    augment = views("reference", model.transform, model.image_size, model.image_mean, model.image_std, seed=0)
    items: list[Item] = collect_items(paths)[0]
    learner = Learner(model, prompts, method)
    compute = BatchGradient(learner, ComputedFeatures(model, items, augment, views=0), method, lambda: None)
    draws = [(index, 3 + index % 2) for index in only]
    compute(draws, running_marginal, micro_batch_size)
    return {
        name: parameter.grad.clone()
        for name, parameter in model.network.named_parameters()
        if parameter.grad is not None
    }


def difference(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Norm of the difference of whole gradients, relative to the norm."""
    assert actual.keys() == expected.keys()
    apart = torch.stack([(actual[name] - expected[name]).norm() for name in expected]).norm()
    return (apart / torch.stack([gradient.norm() for gradient in expected.values()]).norm()).item()


@pytest.mark.parametrize("tune", ["head", "last_n", "norm", "model"])
def test_micro_batches_of_random_views_give_the_whole_batchs_gradient(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], tune: str
) -> None:
    tiny_clip.network.double()
    method = resolved(tune)
    whole = gradients(tiny_clip, picture_paths, method, ITEMS)
    for size in (1, 5):
        assert difference(gradients(tiny_clip, picture_paths, method, size), whole) < DOUBLE_BOUND


@pytest.mark.parametrize("transport", ["sinkhorn", "emd"])
def test_optimal_transport_is_solved_for_the_whole_batch(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], transport: str
) -> None:
    tiny_clip.network.double()
    method = resolved("head", transport=transport)
    whole = gradients(tiny_clip, picture_paths, method, ITEMS)
    assert difference(gradients(tiny_clip, picture_paths, method, 7), whole) < DOUBLE_BOUND


def test_the_running_marginal_enters_once_for_the_batch(tiny_clip: ClipLikeModel, picture_paths: list[Path]) -> None:
    tiny_clip.network.double()
    method = resolved("head").model_copy(update={"marginal_momentum": 0.9})
    running = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    whole, parts = (gradients(tiny_clip, picture_paths, method, size, running_marginal=running) for size in (ITEMS, 5))
    assert difference(parts, whole) < DOUBLE_BOUND
    assert difference(gradients(tiny_clip, picture_paths, method, ITEMS), whole) > 0.01


def test_objectives_of_micro_batches_alone_would_give_another_gradient(
    tiny_clip: ClipLikeModel, picture_paths: list[Path]
) -> None:
    tiny_clip.network.double()
    method = resolved("head")
    whole = gradients(tiny_clip, picture_paths, method, ITEMS)
    first, second = (gradients(tiny_clip, picture_paths, method, 12, only=part) for part in (range(12), range(12, 24)))
    mean = {name: (first[name] + second[name]) / 2 for name in whole}
    assert difference(mean, whole) > 100 * SINGLE_BOUND


def test_single_precision_keeps_the_stated_bound(tiny_clip: ClipLikeModel, picture_paths: list[Path]) -> None:
    method = resolved("model")
    whole = gradients(tiny_clip, picture_paths, method, ITEMS)
    for size in (1, 5):
        assert difference(gradients(tiny_clip, picture_paths, method, size), whole) < SINGLE_BOUND


class _SavedBytes:
    """Bytes that are kept for backward passes: now, and at most so far."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def pack(self, tensor: Tensor) -> _Kept:
        kept = _Kept(tensor)
        self.now += tensor.nbytes
        self.most = max(self.most, self.now)
        weakref.finalize(kept, self._forget, tensor.nbytes)
        return kept

    def _forget(self, count: int) -> None:
        self.now -= count


class _Kept:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def test_a_large_batch_keeps_no_more_for_backward_passes_than_one_of_its_micro_batches(
    tiny_clip: ClipLikeModel, picture_paths: list[Path]
) -> None:
    most = {}
    for count in (4, ITEMS):
        saved = _SavedBytes()
        with torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda kept: kept.tensor):
            gradients(tiny_clip, picture_paths, resolved("model"), 4, only=range(count))
        assert saved.now == 0
        most[count] = saved.most
    assert most[ITEMS] < 1.3 * most[4]
    whole = _SavedBytes()
    with torch.autograd.graph.saved_tensors_hooks(whole.pack, lambda kept: kept.tensor):
        gradients(tiny_clip, picture_paths, resolved("model"), ITEMS)
    assert whole.most > 1.3 * most[4]


def test_batch_norm_keeps_its_statistics_in_both_passes(tmp_path: Path, picture_paths: list[Path]) -> None:
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": RESNET, "preprocess_cfg": PREPROCESSING}))
    torch.manual_seed(0)
    saved = open_clip.CLIP(**RESNET).state_dict()
    save_file({name: value.contiguous() for name, value in saved.items()}, tmp_path / "open_clip_model.safetensors")
    model = load_base_model(f"open_clip:{tmp_path}")
    model.network.double()
    before = {name: value.clone() for name, value in model.network.named_buffers()}
    assert any(name.endswith("running_var") for name in before)
    whole = gradients(model, picture_paths, resolved("model"), ITEMS)
    parts = gradients(model, picture_paths, resolved("model"), 5)
    assert any("bn" in name for name in whole)
    assert difference(parts, whole) < DOUBLE_BOUND
    for name, value in model.network.named_buffers():
        assert torch.equal(value, before[name])


def test_views_differ_between_epochs_and_are_the_same_when_drawn_again(
    tiny_clip: ClipLikeModel, picture_paths: list[Path]
) -> None:
    model = tiny_clip
    augment = ImageViews("reference", model.transform, model.image_size, model.image_mean, model.image_std, seed=0)
    (item, *_), _ = collect_items(picture_paths)
    assert isinstance(item.image(), Image.Image)
    torch.manual_seed(7)
    first = augment.view(item, 3)
    torch.rand(5)
    assert torch.equal(augment.view(item, 3), first)
    assert not torch.equal(augment.view(item, 4), first)
