"""What an adaptation did to the predictions, and what speaks against it: how far it moved from what was sure before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pouf_core.contract.findings import Finding, finding
from pouf_core.validation.limits import PICTURES, Limits

OVERRULED_LIMIT = 0.22
FLIP_RATE_LIMIT = 0.5
MARGINAL_SHIFT_LIMIT = 0.5  # nats
VANISHED_SHARE = 0.1  # of a class's zero-shot share
NOTICEABLE_SHARE = 0.5  # of 1/K: a class with a smaller zero-shot share may vanish unnoticed
VANISHED_CLASSES_LIMIT = 0.34  # of all classes
LEAST_CHANGED = 8  # items, for a mean over those that changed to say something


@dataclass(frozen=True)
class Change:
    """What an adaptation did to the predictions for n items.

    Attributes:
        changed_count: items whose class changed.
        flip_rate: their share.
        overruled_confidence: zero-shot probability, mean of two views, that items lost where their class changed:
            of the old class less of the new one, in [-1, 1].
        marginal_shift: Kullback-Leibler divergence of the adapted marginal from the expected one, in nats.
        confidence_gain: rise of the mean largest probability.
        vanished: indices of classes that are expected and that the adapted model as good as never predicts.
        one_sidedness: share of the changes that is not made up for by changes the other way, so that the shares of the
            predicted classes differ by it: 0 where these stay, 1 where all changes go from some classes to others.
    """

    changed_count: int
    flip_rate: float
    overruled_confidence: float
    marginal_shift: float
    confidence_gain: float
    vanished: list[int]
    one_sidedness: float = 0.0


def read_change(zero_shot_views: Tensor, adapted: Tensor, given_prior: Sequence[float] | None = None) -> Change:
    """Compare class probabilities before and after.

    Args:
        zero_shot_views: [2, n, K] as for `read_structure`.
        adapted: [n, K] adapted probabilities of the items as they are.
        given_prior: [K] shares that the caller knows; without them the zero-shot marginal is expected.
    """
    before, after = zero_shot_views[0], adapted
    belief = zero_shot_views.mean(dim=0)
    old, new = before.argmax(dim=1, keepdim=True), after.argmax(dim=1, keepdim=True)
    changed = (old != new).squeeze(1)
    lost = (belief.gather(1, old) - belief.gather(1, new)).squeeze(1)[changed]
    marginal, adapted_marginal = before.mean(dim=0), after.mean(dim=0)
    if given_prior is not None:
        marginal = torch.tensor(given_prior).to(marginal)
    shift = (adapted_marginal * ((adapted_marginal + 1e-6) / (marginal + 1e-6)).log()).sum()
    vanished = (adapted_marginal < VANISHED_SHARE * marginal) & (marginal > NOTICEABLE_SHARE / before.shape[1])
    return Change(
        changed_count=int(changed.sum()),
        flip_rate=changed.float().mean().item(),
        overruled_confidence=lost.mean().item() if changed.any() else 0.0,
        marginal_shift=shift.item(),
        confidence_gain=(after.max(dim=1).values.mean() - before.max(dim=1).values.mean()).item(),
        vanished=torch.nonzero(vanished).flatten().tolist(),
        one_sidedness=_one_sidedness(old.squeeze(1), new.squeeze(1), before.shape[1]),
    )


def _one_sidedness(old: Tensor, new: Tensor, class_count: int) -> float:
    changed = int((old != new).sum())
    moved = (new.bincount(minlength=class_count) - old.bincount(minlength=class_count)).abs().sum().item() / 2
    return moved / changed if changed else 0.0


def objections(change: Change, class_names: Sequence[str], limits: Limits = PICTURES) -> list[Finding]:
    """Why a change is not to be trusted, whatever the data; empty where nothing speaks against it."""
    found = []
    if change.changed_count >= LEAST_CHANGED and change.overruled_confidence >= OVERRULED_LIMIT:
        lost = f"{change.overruled_confidence:.2f}"
        message = f"Where the class changed, the base model had preferred the old one by {lost} on average."
        found.append(finding("overrules_confident_predictions", message))
    if change.flip_rate > FLIP_RATE_LIMIT:
        found.append(finding("many_flips", f"Adaptation changes the class of {change.flip_rate:.0%} of the items."))
    if change.marginal_shift > MARGINAL_SHIFT_LIMIT:
        message = f"The shares of the classes are {change.marginal_shift:.2f} nats from the expected ones."
        found.append(finding("marginal_shift", message))
    one_sided = limits.one_sided is not None and change.one_sidedness > limits.one_sided
    if one_sided and change.changed_count >= LEAST_CHANGED:
        message = (
            f"{change.one_sidedness:.0%} of the changes only shift the classes' shares: that moves the line between "
            "classes by a guess at their shares, and tells them apart no better."
        )
        found.append(finding("one_sided_changes", message))
    if len(change.vanished) > VANISHED_CLASSES_LIMIT * len(class_names):
        names = ", ".join(class_names[index] for index in change.vanished)
        found.append(finding("classes_vanished", f"The adapted model as good as never predicts: {names}."))
    return found
