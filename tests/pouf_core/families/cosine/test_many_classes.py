"""Prompts in chunks: the whole gradient whatever the chunk, less at once when memory runs out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pouf_core.adaptation.step import BatchGradient
from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.progress import Progress
from pouf_core.errors import OutOfMemory
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.prompts import Prompts, build_prompts
from tests.pouf_core.training import learner_and_source, resolved, run_loop

DRAWS = [(index, 0) for index in range(8)]


def gradient(model: ClipLikeModel, paths: list[Path], tune: str, prompts_at_once: int, micro_batch: int) -> Tensor:
    method = resolved(tune, batch_size=8, logit_scale_learning_rate=1e-3)
    learner, source = learner_and_source(model, paths, method)
    learner.prompts_at_once = prompts_at_once
    trained = [item for group in learner.parameter_groups() for item in group.parameters]
    for item in trained:
        item.grad = None
    BatchGradient(learner, source, method, lambda: None)(DRAWS, None, micro_batch)
    return torch.cat([item.grad.flatten() for item in trained if item.grad is not None])


@pytest.mark.parametrize("tune", ["prompt", "last_n", "norm", "model"])
@pytest.mark.parametrize("prompts_at_once", [1, 2])
def test_chunks_of_prompts_give_the_one_pass_gradient(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], tune: str, prompts_at_once: int
) -> None:
    tiny_clip.network.double()
    plain = tiny_clip.transform
    tiny_clip.transform = lambda image: plain(image).double()
    whole = gradient(tiny_clip, picture_paths, tune, prompts_at_once=3, micro_batch=8)
    chunked = gradient(tiny_clip, picture_paths, tune, prompts_at_once, micro_batch=3)
    assert whole.dtype == torch.float64
    assert whole.norm() > 1e-6
    assert (whole - chunked).norm() <= 1e-6 * whole.norm()


def test_an_ensemble_with_contexts_per_class_is_exact_in_chunks(tiny_clip: ClipLikeModel) -> None:
    tiny_clip.network.double()
    classes = parse_class_names([f"thing {number}" for number in range(7)])
    prompts = build_prompts(classes, ["a photo of a {}.", "the {} drawn"], tiny_clip.tokenizer, per_class=True)
    gradients = []
    for size in (14, 4):
        context = tiny_clip.initial_context(prompts).requires_grad_()
        prototypes = tiny_clip.prototypes(prompts, context, size)
        weights = torch.randn(prototypes.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        gradients.append(torch.autograd.grad((prototypes * weights).sum(), context)[0])
    assert (gradients[0] - gradients[1]).norm() <= 1e-6 * gradients[0].norm()


def test_only_a_chunks_activations_are_kept(tiny_clip: ClipLikeModel) -> None:
    classes = parse_class_names([f"thing {number}" for number in range(64)])
    prompts = build_prompts(classes, ["a photo of a {}."], tiny_clip.tokenizer)
    whole, chunked = (kept_bytes(tiny_clip, prompts, size) for size in (64, 4))
    assert chunked < whole / 4


def kept_bytes(model: ClipLikeModel, prompts: Prompts, prompts_at_once: int) -> int:
    """Bytes that autograd keeps between forward and backward, parameters aside."""
    parameters = {item.untyped_storage().data_ptr() for item in model.network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    context = model.initial_context(prompts).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        prototypes = model.prototypes(prompts, context, prompts_at_once)
    assert prototypes.requires_grad
    return sum(kept.values())


def test_the_estimate_of_memory_is_about_what_autograd_keeps(tiny_clip: ClipLikeModel) -> None:
    classes = parse_class_names([f"thing {number}" for number in range(64)])
    prompts = build_prompts(classes, ["a photo of a {}."], tiny_clip.tokenizer)
    length = tiny_clip.text.cut(prompts.tokens).shape[1]
    kept = kept_bytes(tiny_clip, prompts, 64)
    assert 64 / 2 < tiny_clip.text.prompts_within(kept, length) < 64 * 2


class _TightText:
    """A text tower on a device that holds only so many prompts at once."""

    def __init__(self, model: ClipLikeModel, room: int) -> None:
        self._encode, self._room = model._encode_prompts, room

    def __call__(self, tokens: Tensor, context: Tensor | None, placement: Tensor) -> Tensor:
        if torch.is_grad_enabled() and len(tokens) > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._encode(tokens, context, placement)


@pytest.mark.parametrize("tune", ["prompt", "model"])
def test_lack_of_memory_for_prompts_halves_them_and_keeps_the_result(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], monkeypatch: pytest.MonkeyPatch, tune: str
) -> None:
    expected = gradient(tiny_clip, picture_paths, tune, prompts_at_once=3, micro_batch=8)
    monkeypatch.setattr(tiny_clip, "_encode_prompts", _TightText(tiny_clip, 1))
    found = gradient(tiny_clip, picture_paths, tune, prompts_at_once=1, micro_batch=8)
    assert torch.allclose(expected, found, rtol=1e-3, atol=1e-5)
    warnings: list[str] = []

    def note(progress: Progress) -> None:
        if progress.warning:
            warnings.append(progress.warning["message"])

    method = resolved(tune, max_steps=1, batch_size=8)
    learner, source = learner_and_source(tiny_clip, picture_paths, method)
    run_loop(learner, source, method, on_progress=note)
    assert learner.prompts_at_once == 1
    assert "prompts 1 at a time" in warnings[0]


def test_lack_of_memory_for_a_single_prompt_is_an_error_with_a_code(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    method = resolved("prompt", max_steps=1, batch_size=8)
    learner, source = learner_and_source(tiny_clip, picture_paths, method)
    monkeypatch.setattr(tiny_clip, "_encode_prompts", _TightText(tiny_clip, 0))
    with pytest.raises(OutOfMemory) as caught:
        run_loop(learner, source, method)
    assert caught.value.code == "out_of_memory"


def test_a_trained_scale_stops_at_a_hundred_but_not_in_paper(
    tiny_clip: ClipLikeModel, picture_paths: list[Path]
) -> None:
    ends = {}
    for preset, start in (("default", 4.6), ("default", 4.7), ("paper", 4.6)):
        with torch.no_grad():
            tiny_clip.logit_scale.fill_(start)
        method = resolved("prompt", preset=preset, max_steps=1, batch_size=8, logit_scale_learning_rate=0.5)
        learner, source = learner_and_source(tiny_clip, picture_paths, method)
        upwards = learner.base.logit_scale.register_hook(lambda gradient: -torch.ones_like(gradient))
        run_loop(learner, source, method)
        upwards.remove()
        ends[preset, start] = float(tiny_clip.logit_scale.detach())
    assert ends["default", 4.6] == pytest.approx(4.60517, abs=1e-5)
    assert ends["default", 4.7] == pytest.approx(4.7, abs=1e-5)  # pretrained above 100: stays there
    assert ends["paper", 4.6] > 5


def test_the_scale_is_frozen_unless_its_rate_is_given(tiny_clip: ClipLikeModel, picture_paths: list[Path]) -> None:
    before = float(tiny_clip.logit_scale)
    for rate, moves in (("auto", False), (1e-2, True)):
        method = resolved("prompt", max_steps=1, batch_size=8, logit_scale_learning_rate=rate)
        learner, source = learner_and_source(tiny_clip, picture_paths, method)
        run_loop(learner, source, method)
        assert (float(tiny_clip.logit_scale.detach()) != before) is moves
        assert ("logit_scale" in learner.tensors()) is moves
