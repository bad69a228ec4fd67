"""What is measured without labels: the structure of the data, and how an adaptation changed the predictions.

Adaptation sharpens the groups that the data forms, so it helps where items that lie close together are of one class.
Where zero-shot predictions agree between neighbours nearly as well as between two views of one item, the groups are
classes. Where they agree much less, groups and classes have little to do with each other, and sharpening them is a coin
toss (docs/trust.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.closed_forms.neighbours import nearest
from pouf_core.contract.method import Resolved
from pouf_core.validation.thresholds import constant

NEIGHBOURS = 5
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Size:
    """How much data there is.

    Attributes:
        item_count, class_count: n and K.
    """

    item_count: int
    class_count: int


@dataclass(frozen=True)
class Structure(Size):
    """What the data says about itself before anything is trained.

    Attributes:
        view_agreement: agreement of zero-shot probabilities between two views of an item, above the chance that two
            items drawn at random agree; at most 1.
        neighbour_agreement: the same between an item and its nearest neighbours.
        ratio: neighbour over view agreement: near 1 where items that lie close together are of one class; 0 where
            views agree no better than chance, which leaves nothing to measure neighbours by.
    """

    view_agreement: float
    neighbour_agreement: float
    ratio: float


def measure_structure(zero_shot_views: Tensor, features: Tensor, item_count: int | None = None) -> Structure:
    """Compare zero-shot predictions between views of an item and between neighbours.

    Args:
        zero_shot_views: [2, n, K] zero-shot probabilities of the items as they are, and of another view of them.
        features: [n, d] unit-length zero-shot features of the items as they are.
        item_count: items in all, where these are a sample of them.
    """
    plain, other = zero_shot_views
    chance = plain.mean(dim=0, dtype=torch.float64).square().sum()
    room = (1 - chance).clamp(min=1e-6)
    views = ((plain * other).sum(dim=1).mean() - chance) / room
    neighbours = torch.zeros(())
    if len(plain) > 1:
        around = neighbour_mean(features, (plain + other) / 2)
        neighbours = ((plain * around).sum(dim=1).mean() - chance) / room
    return Structure(
        view_agreement=views.item(),
        neighbour_agreement=neighbours.item(),
        ratio=(neighbours / views).item() if views > constant("least_view_agreement") else 0.0,
        item_count=item_count or len(plain),
        class_count=plain.shape[1],
    )


def neighbour_mean(features: Tensor, values: Tensor, count: int = NEIGHBOURS) -> Tensor:
    """Mean of `values` over each item's nearest neighbours by cosine, the item itself left out.

    Args:
        features: [n, d] unit-length features, n at least 2.
        values: [n, K].
        count: neighbours asked; with fewer items, all the others.

    Returns:
        [n, K].
    """
    _, indices = nearest(features, count)
    return torch.cat([values[rows].mean(dim=1) for rows in indices.split(_ROWS_AT_ONCE)])


@dataclass(frozen=True)
class Relation(Size):
    """How much the directions in which class features differ are those in which the items do.

    Attributes:
        deviations: how far above what class features of an unrelated encoder have, in standard deviations of that;
            infinite where the items, or the classes, are all alike.
    """

    deviations: float


def measure_relation(features: Tensor, prototypes: Tensor) -> Relation:
    """Compare the directions in which items differ with those in which classes do.

    The statistic is the inner product of the two covariance matrices, each less its mean eigenvalue. Two encoders that
    know nothing of each other are as if one was turned at random, under which its mean is 0 and its variance
    2‖A‖²‖B‖² / ((d − 1)(d + 2)), the second moment over the orthogonal group (Collins and Śniady, 2006).

    Args:
        features: [n, d] of items, n at least 1.
        prototypes: [K, d] of classes.
    """
    items, classes = (_centred(vectors) for vectors in (features, prototypes))
    width = features.shape[1]
    squares = _likeness(items, items) * _likeness(classes, classes)
    deviations = math.inf
    if squares > 0:
        deviations = _likeness(items, classes) / math.sqrt(squares) * math.sqrt((width - 1) * (width + 2) / 2)
    return Relation(len(features), len(prototypes), deviations)


def _centred(vectors: Tensor) -> Tensor:
    """Unit-length vectors, less their mean."""
    unit = normalize(vectors.float(), dim=1)
    return unit - unit.mean(dim=0)


def _likeness(first: Tensor, second: Tensor) -> float:
    """Inner product of the covariance matrices, each less its mean eigenvalue, of centred vectors [n, d] and [m, d].

    By products of [n, m] or of [d, d], whichever is smaller.
    """
    width = first.shape[1]
    if len(first) * len(second) < width**2:
        product = (first @ second.T).square().sum()
    else:
        product = ((first.T @ first) * (second.T @ second)).sum()
    return (product - first.square().sum() * second.square().sum() / width).item()


@dataclass(frozen=True)
class Change:
    """What an adaptation did to the predictions for n items.

    Attributes:
        changed_count: items whose class changed.
        flip_rate: their share.
        overruled_confidence: zero-shot probability, mean of the views, that items lost where their class changed:
            of the old class less of the new one, in [-1, 1].
        marginal_shift: label-share shift: Kullback-Leibler divergence of the adapted marginal from the expected one, in
            nats.
        confidence_gain: rise of the mean largest probability, in [-1, 1].
        vanished: indices of the collapsed classes: they are expected, and the adapted model almost never predicts them.
        one_sidedness: share of the changes that is not offset by changes the other way, so that the shares of the
            predicted classes differ by it: 0 where these stay, 1 where all changes go from some classes to others.
    """

    changed_count: int
    flip_rate: float
    overruled_confidence: float
    marginal_shift: float
    confidence_gain: float
    vanished: list[int]
    one_sidedness: float = 0.0


def measure_change(zero_shot_views: Tensor, adapted: Tensor, given_prior: Sequence[float] | None = None) -> Change:
    """Compare class probabilities before and after.

    Args:
        zero_shot_views: [V, n, K] zero-shot probabilities of the items as they are, and of other views of them, if any.
        adapted: [n, K] adapted probabilities of the items as they are.
        given_prior: [K] shares that the caller knows; without them the zero-shot marginal is expected.
    """
    before, after = zero_shot_views[0], adapted
    belief = zero_shot_views.mean(dim=0)
    old, new = before.argmax(dim=1, keepdim=True), after.argmax(dim=1, keepdim=True)
    changed = (old != new).squeeze(1)
    lost = (belief.gather(1, old) - belief.gather(1, new)).squeeze(1)[changed]
    expected, marginal = before.mean(dim=0), after.mean(dim=0)
    if given_prior is not None:
        expected = torch.tensor(given_prior).to(expected)
    return Change(
        changed_count=int(changed.sum()),
        flip_rate=changed.float().mean().item(),
        overruled_confidence=lost.mean().item() if changed.any() else 0.0,
        marginal_shift=(marginal * ((marginal + 1e-6) / (expected + 1e-6)).log()).sum().item(),
        confidence_gain=(after.max(dim=1).values.mean() - before.max(dim=1).values.mean()).item(),
        vanished=_collapsed_classes(expected, marginal),
        one_sidedness=_one_sidedness(old.squeeze(1), new.squeeze(1), before.shape[1]),
    )


def given_prior(method: Resolved) -> list[float] | None:
    """The class shares that the caller knows, or None."""
    return method.class_prior if method.class_prior_source == "given" else None


def _collapsed_classes(expected: Tensor, marginal: Tensor) -> list[int]:
    collapsed = marginal < constant("collapsed_share") * expected
    noticeable = expected > constant("noticeable_share") / len(expected)
    return torch.nonzero(collapsed & noticeable).flatten().tolist()


def _one_sidedness(old: Tensor, new: Tensor, class_count: int) -> float:
    changed = int((old != new).sum())
    moved = (new.bincount(minlength=class_count) - old.bincount(minlength=class_count)).abs().sum().item() / 2
    return moved / changed if changed else 0.0
