"""The reference recipe of prompt tuning and model tuning, in float64, step by step. Knows nothing of `pouf_core`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.reference.clip import Weights, image_features, quick_gelu, text_features
from tests.reference.objective import loss

Displacements = dict[str, Tensor]
"""What training moved, by the name of the parameter in the saved weights."""

MUTUAL_INFORMATION_WEIGHT = 0.3
MOMENTUM = 0.9
CONTEXT_LENGTH = 4
CONTEXT_RATE = 1e-3
MODEL_RATE = 5e-7
SCALE_RATE = 5e-7


@dataclass(frozen=True)
class Recipe:
    """What may be left out, to show that leaving it out is seen; and the network's activation."""

    weight_decay: float = 1e-3
    nesterov: bool = True
    schedule: bool = True
    quick_gelu: bool = False


def tune_prompt(
    saved: Weights, tokens: Tensor, batches: Sequence[Tensor], heads: tuple[int, int], recipe: Recipe
) -> Weights:
    """Displacements after training the embeddings of "a photo of a", and the logit scale."""
    weights = {name: value.double() for name, value in saved.items()}
    context = weights["token_embedding.weight"][tokens[0, 1 : 1 + CONTEXT_LENGTH]].clone()
    trained = {"context": context, "logit_scale": weights["logit_scale"]}
    rates = {"context": CONTEXT_RATE, "logit_scale": SCALE_RATE}
    return _train(weights, trained, rates, tokens, batches, heads, recipe)


def tune_model(
    saved: Weights, tokens: Tensor, batches: Sequence[Tensor], heads: tuple[int, int], recipe: Recipe
) -> Weights:
    """Displacements after training all weights of both towers, and the logit scale."""
    weights = {name: value.double() for name, value in saved.items()}
    rates = {name: SCALE_RATE if name == "logit_scale" else MODEL_RATE for name in weights}
    return _train(weights, weights, rates, tokens, batches, heads, recipe)


def _train(
    weights: Weights,
    trained: Weights,
    rates: dict[str, float],
    tokens: Tensor,
    batches: Sequence[Tensor],
    heads: tuple[int, int],
    recipe: Recipe,
) -> Weights:
    start = {name: value.clone() for name, value in trained.items()}
    velocity: Weights = {}
    for step, pixels in enumerate(batches):
        gradients = _gradients(weights, trained, tokens, pixels, heads, recipe)
        factor = (1 + 2e-4 * step) ** -0.75 if recipe.schedule else 1.0
        for name, gradient in gradients.items():
            direction = gradient + recipe.weight_decay * trained[name]
            velocity[name] = direction if step == 0 else MOMENTUM * velocity[name] + direction
            move = direction + MOMENTUM * velocity[name] if recipe.nesterov else velocity[name]
            trained[name].sub_(rates[name] * factor * move)
    return {name: value - start[name] for name, value in trained.items()}


def _gradients(
    weights: Weights,
    trained: Weights,
    tokens: Tensor,
    pixels: Tensor,
    heads: tuple[int, int],
    recipe: Recipe,
) -> Weights:
    leaves = {name: value.clone().requires_grad_() for name, value in trained.items()}
    used = {name: leaves.get(name, value) for name, value in weights.items()}
    image_heads, text_heads = heads
    activate = quick_gelu if recipe.quick_gelu else F.gelu
    pictures = image_features(used, pixels, image_heads, activate)
    prototypes = text_features(used, tokens, text_heads, leaves.get("context"), activate)
    similarity = pictures @ prototypes.T
    logits = used["logit_scale"].exp() * similarity
    _, by_similarity, by_logits = loss(similarity.tolist(), logits.tolist(), MUTUAL_INFORMATION_WEIGHT)
    into = [torch.tensor(by_similarity, dtype=torch.float64), torch.tensor(by_logits, dtype=torch.float64)]
    found = torch.autograd.grad([similarity, logits], list(leaves.values()), into)
    return dict(zip(leaves, found, strict=True))


def largest_difference(found: Displacements, wanted: Displacements) -> float:
    """Of the displacements of any parameter, relative to the one that is wanted, none of which is 0."""
    assert found.keys() == wanted.keys()
    assert all(value.norm() > 0 for value in wanted.values())
    return max(((found[name] - value).norm() / value.norm()).item() for name, value in wanted.items())
