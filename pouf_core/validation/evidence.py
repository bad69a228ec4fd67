"""What speaks for and against a change of the predictions, told without labels and at any logit scale.

Everything is measured on classes and on probabilities at the scale that the data itself gives, so that the scale a
model was trained with does not enter. An item's nearest neighbours, and Gaussian classes fitted to the other items, are
two witnesses that a change did not ask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from pouf_core.closed_forms.gaussian_classes import GaussianClasses
from pouf_core.closed_forms.target import Target

WITNESSES = 5
"""Neighbours that are asked."""
_PRIOR_ITEMS = 1.0


@dataclass(frozen=True)
class Evidence:
    """The figures that the estimated gain rests on; three are means over the changed items, 0 without any.

    Attributes:
        items: n.
        changed: share of the items whose class changes.
        neighbours: share of an item's neighbours that have its new class after the change, less the share that have
            its old one.
        gaussian: probability of the new class less that of the old one by Gaussian classes fitted to the other items.
        text: zero-shot probability of the old class less that of the new one.
        classes_lost: logarithm of how many times fewer classes there are after the change, counting classes as evenly
            filled (1 over the sum of their squared shares); negative where there are more.
    """

    items: int
    changed: float
    neighbours: float
    gaussian: float
    text: float
    classes_lost: float


class Witness:
    """What the data says about any change of its zero-shot classes.

    Args:
        target: n >= 2 items, among which neighbours are sought.
    """

    def __init__(self, target: Target) -> None:
        self._near = target.neighbours.indices[:, :WITNESSES]
        self._text = target.logits.softmax(dim=1)
        self._classes = self._text.argmax(dim=1)
        self._gaussian = _gaussian_posterior(target.features, self._text)

    @property
    def certainty(self) -> float:
        """Mean largest zero-shot probability, which is about the accuracy of zero-shot."""
        return self._text.max(dim=1).values.mean().item()

    def evidence(self, classes: Tensor) -> Evidence:
        """The evidence for giving the n items these classes [n]."""
        rows = torch.nonzero(classes != self._classes).flatten()
        if not len(rows):
            return Evidence(len(classes), 0.0, 0.0, 0.0, 0.0, 0.0)
        old, new = self._classes[rows, None], classes[rows, None]

        def lead(values: Tensor) -> float:
            """Mean of the new classes' values [n, K] less the old ones'."""
            chosen = values[rows]
            return (chosen.gather(1, new) - chosen.gather(1, old)).double().mean().item()

        votes = classes[self._near[rows]]
        neighbours = ((votes == new).double().mean() - (votes == old).double().mean()).item()
        lost = math.log(_class_count(self._classes) / _class_count(classes))
        return Evidence(
            len(classes), len(rows) / len(classes), neighbours, lead(self._gaussian), -lead(self._text), lost
        )


def _class_count(classes: Tensor) -> float:
    """Evenly filled classes that would be as likely to give two items one class."""
    return 1 / (classes.bincount().double() / len(classes)).square().sum().item()


def _gaussian_posterior(features: Tensor, text: Tensor) -> Tensor:
    """Class probabilities [n, K] by Gaussian classes whose means leave the item out, calibrated against the text's.

    Args:
        features: [n, d] of unit length.
        text: [n, K] zero-shot probabilities, by which classes and variance are weighted.
    """
    classes = GaussianClasses(features - features.mean(dim=0), 0.0, _PRIOR_ITEMS)
    classes.fit(text)
    likelihood = classes.likelihoods()
    prior = text.mean(dim=0).clamp(min=1e-12).log()

    def loss(logarithm: float) -> float:
        return -(text * (math.exp(logarithm) * likelihood + prior).log_softmax(dim=1)).sum(dim=1).mean().item()

    bounds = (math.log(1e-3), 0.0)
    temper = math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.05}).x)
    return (temper * likelihood + prior).softmax(dim=1)
