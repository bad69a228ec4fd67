"""The masked-LM recipe on a BERT as plain functions of its saved weights, in float64. Knows nothing of `pouf_core`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.reference.objective import mutual_information_loss, prototype_to_target, target_to_prototype

Weights = dict[str, Tensor]
Item = tuple[list[int], int]  # token ids, and the place of the mask

RATE, TOTAL_STEPS, LARGEST_NORM = 1e-5, 1000, 1.0
MUTUAL_INFORMATION_WEIGHT, PLAN_SCALE = 0.6, 10.0
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
EMBEDDINGS, ROWS = "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"


@dataclass(frozen=True)
class Recipe:
    """What may be left out, to show that leaving it out is seen."""

    clip: bool = True
    decay: bool = True
    bias: bool = True
    untied: bool = True
    uncorrected_epsilon: bool = True


def tune(saved: Weights, batches: Sequence[Sequence[Item]], words: list[int], heads: int, recipe: Recipe) -> Weights:
    """Displacements of all weights after one AdamW step a batch (weight decay 0).

    The public code's class does not tie the decoder's rows to the input embeddings: they start equal and part.
    """
    weights = {name: value.double() for name, value in saved.items() if name != ROWS}
    if recipe.untied:
        weights[ROWS] = weights[EMBEDDINGS].clone()
    start = {name: value.clone() for name, value in weights.items()}
    first = {name: torch.zeros_like(value) for name, value in weights.items()}
    second = {name: torch.zeros_like(value) for name, value in weights.items()}
    for step, batch in enumerate(batches, start=1):
        gradients = _gradients(weights, batch, words, heads, recipe)
        norm = sum(gradient.pow(2).sum() for gradient in gradients.values()) ** 0.5
        shrink = min(1.0, LARGEST_NORM / float(norm)) if recipe.clip else 1.0
        rate = RATE * (1 - (step - 1) / TOTAL_STEPS) if recipe.decay else RATE
        for name, gradient in gradients.items():
            first[name] = BETA_1 * first[name] + (1 - BETA_1) * shrink * gradient
            second[name] = BETA_2 * second[name] + (1 - BETA_2) * (shrink * gradient) ** 2
            mean, correction = first[name] / (1 - BETA_1**step), (1 - BETA_2**step) ** 0.5
            epsilon = EPSILON if recipe.uncorrected_epsilon else EPSILON * correction
            weights[name] = weights[name] - rate * correction * mean / (second[name].sqrt() + epsilon)
    return {name: value - start[name] for name, value in weights.items()}


def _gradients(weights: Weights, batch: Sequence[Item], words: list[int], heads: int, recipe: Recipe) -> Weights:
    leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
    features = torch.stack([_feature(leaves, ids, mask, heads) for ids, mask in batch])
    rows = leaves[ROWS if recipe.untied else EMBEDDINGS][words]
    similarity = F.normalize(features, dim=1) @ F.normalize(rows, dim=1).T
    logits = features @ rows.T
    if recipe.bias:
        logits = logits + leaves["cls.predictions.bias"][words]
    cosines, plan = similarity.tolist(), (PLAN_SCALE * similarity).tolist()
    _, forth, forth_plan = target_to_prototype(cosines, plan)
    _, back, back_plan = prototype_to_target(cosines, plan)
    _, information = mutual_information_loss(logits.tolist())
    by_similarity = _tensor(forth) + _tensor(back) + PLAN_SCALE * (_tensor(forth_plan) + _tensor(back_plan))
    into = [by_similarity, MUTUAL_INFORMATION_WEIGHT * _tensor(information)]
    found = torch.autograd.grad([similarity, logits], list(leaves.values()), into, allow_unused=True)
    return {name: value for name, value in zip(leaves, found, strict=True) if value is not None}


def _tensor(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def _feature(weights: Weights, ids: list[int], mask: int, heads: int) -> Tensor:
    """The hidden state at the mask, after the transform, of one item: no padding is needed."""
    embeddings = "bert.embeddings"
    states = weights[EMBEDDINGS][ids] + weights[f"{embeddings}.token_type_embeddings.weight"][0]
    states = states + weights[f"{embeddings}.position_embeddings.weight"][: len(ids)]
    states = _norm(weights, f"{embeddings}.LayerNorm", states)
    layer = 0
    while f"bert.encoder.layer.{layer}.output.dense.weight" in weights:
        name = f"bert.encoder.layer.{layer}"
        attended = _attend(weights, f"{name}.attention.self", states, heads)
        mixed = _linear(weights, f"{name}.attention.output.dense", attended)
        states = _norm(weights, f"{name}.attention.output.LayerNorm", states + mixed)
        inner = F.gelu(_linear(weights, f"{name}.intermediate.dense", states))
        states = _norm(weights, f"{name}.output.LayerNorm", states + _linear(weights, f"{name}.output.dense", inner))
        layer += 1
    head = "cls.predictions.transform"
    return _norm(weights, f"{head}.LayerNorm", F.gelu(_linear(weights, f"{head}.dense", states[mask])))


def _attend(weights: Weights, name: str, states: Tensor, heads: int) -> Tensor:
    query, key, value = (
        _linear(weights, f"{name}.{part}", states).view(len(states), heads, -1).transpose(0, 1)
        for part in ("query", "key", "value")
    )
    shares = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(dim=-1)
    return (shares @ value).transpose(0, 1).reshape(len(states), -1)


def _linear(weights: Weights, name: str, states: Tensor) -> Tensor:
    return states @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(weights: Weights, name: str, states: Tensor) -> Tensor:
    centred = states - states.mean(dim=-1, keepdim=True)
    scale = (centred.pow(2).mean(dim=-1, keepdim=True) + 1e-12).sqrt()
    return centred / scale * weights[f"{name}.weight"] + weights[f"{name}.bias"]
