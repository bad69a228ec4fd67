"""Fit the head and the low-rank updates to masked text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from pouf_lite_head.precision import fast_autocast
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from minilm_mlm.batches import Batch, Vocabulary, batches
from minilm_mlm.trainable import MaskedLM


@dataclass(frozen=True)
class Recipe:
    """How the model is trained.

    Attributes:
        steps: of the optimiser.
        rank: of the changes of the encoder's matrices.
        batch_tokens: tokens of a batch, padding included.
        longest: tokens of a text; longer ones are cut.
        share: of the tokens that are hidden.
        warm_up: share of the steps in which the rate rises, before it falls linearly to 0.
    """

    steps: int
    rank: int = 32
    batch_tokens: int = 800
    longest: int = 64
    share: float = 0.25
    learning_rate: float = 1e-3
    warm_up: float = 0.05
    weight_decay: float = 0.01
    gradient_clip: float = 1.0


def fit(
    model: MaskedLM,
    rows: Sequence[list[int]],
    vocabulary: Vocabulary,
    recipe: Recipe,
    seed: int,
    after_step: Callable[[int], None],
) -> None:
    """Train a model in place.

    Args:
        model: trained are its parameters that require a gradient.
        rows: token ids of the texts.
        vocabulary: what is padding, mask and special.
        recipe: how.
        seed: of order and masks.
        after_step: called with the number of steps done.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if parameter.ndim > 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_factor(step, recipe.steps, recipe.warm_up)
    )
    smoothed: float | None = None
    drawn = islice(_endless(rows, vocabulary, recipe, seed), recipe.steps)
    for step, batch in enumerate(progress := tqdm(drawn, total=recipe.steps, desc="steps", mininterval=30), 1):
        loss = masked_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, recipe.gradient_clip)
        optimizer.step()
        schedule.step()
        smoothed = loss.item() if smoothed is None else 0.98 * smoothed + 0.02 * loss.item()
        progress.set_postfix(loss=f"{smoothed:.3f}", refresh=False)
        after_step(step)


def masked_loss(model: MaskedLM, batch: Batch) -> Tensor:
    """Mean cross-entropy of the hidden tokens, in nats."""
    with fast_autocast():
        logits, targets = model(batch)
    return functional.cross_entropy(logits.float(), targets)


def rate_factor(step: int, steps: int, warm_up: float) -> float:
    """What the learning rate is multiplied by: up to 1 in the warm-up, then linearly down to 0."""
    rising = max(1, round(steps * warm_up))
    return min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising)))


def log_frequencies(rows: Sequence[list[int]], size: int, special: Sequence[int]) -> Tensor:
    """[V] logarithms of the tokens' frequencies, where the head's bias starts; one is added to each count."""
    counts = torch.bincount(torch.tensor([token for row in rows for token in row]), minlength=size).float()
    counts[list(special)] = 0
    counts += 1
    return (counts / counts.sum()).log()


def _endless(rows: Sequence[list[int]], vocabulary: Vocabulary, recipe: Recipe, seed: int) -> Iterator[Batch]:
    random = torch.Generator().manual_seed(seed)
    while True:
        yield from batches(rows, vocabulary, tokens=recipe.batch_tokens, share=recipe.share, random=random)
