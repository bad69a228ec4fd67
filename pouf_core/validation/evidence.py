"""What speaks for and against a change of the predictions, told without labels and at any logit scale.

Everything is measured on classes and on probabilities at the scale that the data itself gives, so that the scale a
model was trained with does not enter. An item's nearest neighbours, and Gaussian classes fitted to the other items, are
two witnesses that a change did not ask.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from pouf_core.closed_forms.gaussian_classes import GaussianClasses
from pouf_core.closed_forms.target import Target
from pouf_core.scoring import row_pieces

WITNESSES = 5
"""Neighbours that are asked."""
_PRIOR_ITEMS = 1.0


@dataclass(frozen=True)
class Evidence:
    """The figures that the estimated gain rests on; five are means over the changed items, 0 without any.

    Attributes:
        items: n.
        classes: K.
        changed: share of the items whose class changes.
        neighbours: share of an item's neighbours that have its new class after the change, less the share that have
            its old one.
        neighbours_before: the same by the neighbours' zero-shot classes, which the change had no part in.
        gaussian: probability of the new class less that of the old one by Gaussian classes fitted to the other items.
        gaussian_classes: share of the items to which those give the new class, less the share with the old one.
        text: zero-shot probability of the old class less that of the new one.
        classes_lost: logarithm of how many times fewer classes there are after the change, counting classes as evenly
            filled (1 over the sum of their squared shares); negative where there are more.
    """

    items: int
    classes: int
    changed: float
    neighbours: float
    neighbours_before: float
    gaussian: float
    gaussian_classes: float
    text: float
    classes_lost: float


class Witness:
    """What the data says about any change of its zero-shot classes.

    Args:
        target: n >= 2 items, among which neighbours are sought.
    """

    def __init__(self, target: Target) -> None:
        self._near = target.neighbours.indices[:, :WITNESSES]
        text = [target.probabilities(rows).max(dim=1) for rows in target.pieces]
        self._classes = torch.cat([found.indices for found in text])
        self._certainty = torch.cat([found.values for found in text]).mean().item()
        self._target, self._gaussian = target, _GaussianWitness(target)

    @property
    def certainty(self) -> float:
        """Mean largest zero-shot probability, which is about the accuracy of zero-shot."""
        return self._certainty

    def evidence(self, classes: Tensor) -> Evidence:
        """The evidence for giving the n items these classes [n]."""
        count = len(self._target.prototypes)
        rows = torch.nonzero(classes != self._classes).flatten()
        if not len(rows):
            return Evidence(len(classes), count, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        old, new = self._classes[rows, None], classes[rows, None]

        def lead(values: Callable[[Tensor], Tensor]) -> float:
            """Mean of the new classes' values less the old ones', of the values [r, K] of some rows."""
            total = 0.0
            for part in row_pieces(len(rows), count):
                chosen = values(rows[part])
                total += (chosen.gather(1, new[part]) - chosen.gather(1, old[part])).double().sum().item()
            return total / len(rows)

        def vote(given: Tensor) -> float:
            """Share of the classes [r, m] given by others that are the new ones less the share of the old ones."""
            return ((given == new).double().mean() - (given == old).double().mean()).item()

        near = self._near[rows]
        return Evidence(
            items=len(classes),
            classes=count,
            changed=len(rows) / len(classes),
            neighbours=vote(classes[near]),
            neighbours_before=vote(self._classes[near]),
            gaussian=lead(self._gaussian.probabilities),
            gaussian_classes=vote(self._gaussian.classes[rows, None]),
            text=-lead(self._target.probabilities),
            classes_lost=math.log(_class_count(self._classes) / _class_count(classes)),
        )


def _class_count(classes: Tensor) -> float:
    """Evenly filled classes that would be as likely to give two items one class."""
    return 1 / (classes.bincount().double() / len(classes)).square().sum().item()


class _GaussianWitness:
    """Gaussian classes weighted by the text's probabilities and calibrated against them.

    Args:
        target: the data and the classes.

    Attributes:
        classes: [n] the most probable ones.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._fitted = GaussianClasses(target.features - target.features.mean(dim=0), 0.0, _PRIOR_ITEMS)
        self._fitted.fit((rows, target.probabilities(rows)) for rows in target.pieces)
        self._prior = (self._fitted.mass / len(target.features)).clamp(min=1e-12).log()
        self._temper = self._calibrated()
        rows = torch.arange(len(target.features), device=target.features.device)
        self.classes = torch.cat([self.probabilities(rows[part]).argmax(dim=1) for part in target.pieces])

    def probabilities(self, rows: Tensor) -> Tensor:
        """[r, K] by classes whose means leave the item out."""
        likelihood = self._fitted.likelihood(rows, self._target.probabilities(rows))
        return (self._temper * likelihood + self._prior).softmax(dim=1)

    def _calibrated(self) -> float:
        """The power of the likelihood with the least cross-entropy of the text's probabilities."""
        target = self._target
        likelihoods = torch.empty(len(target.features), len(target.prototypes)).to(target.features)
        for rows in target.pieces:
            likelihoods[rows] = self._fitted.likelihood(rows, target.probabilities(rows))

        def loss(logarithm: float) -> float:
            total = 0.0
            for rows in target.pieces:
                logits = math.exp(logarithm) * likelihoods[rows] + self._prior
                total -= (target.probabilities(rows) * logits.log_softmax(dim=1)).sum().item()
            return total / len(likelihoods)

        bounds = (math.log(1e-3), 0.0)
        return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.05}).x)
