"""A mixture of Gaussian classes, anchored at what the text says, fitted by expectation maximisation.

The text posterior of an item times a tempered Gaussian likelihood: p(k | x) is proportional to
p_text(k | x) · exp(b_k) · N(x; mu_k, sigma)^tau, with one diagonal variance for all classes. The logarithm is linear in
x, so that a fitted mixture is one linear classifier. Following TransCLIP (Zanella et al., 2024, arXiv 2406.01837), text
predictions enter every step of the expectation; following StatA (Zanella et al., 2025, arXiv 2501.03729), means are
held by an anchor that classes with few items do not leave. Ours: the likelihood is tempered, since features are far
from independent in hundreds of dimensions; and an item does not take part in the means that classify it, or it would
confirm its own class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pouf_core.closed_forms.gaussian_classes import GaussianClasses
from pouf_core.closed_forms.target import Target

ANCHOR_ITEMS = 20.0
_MOST_STEPS = 12
_SETTLED = 2e-3
"""Mean total variation between an item's posteriors before and after the last step."""


@dataclass(frozen=True)
class MixtureSettings:
    """How a mixture is fitted.

    Attributes:
        scale: of the text logits.
        temper: tau, the power of the Gaussian likelihood, above 0.
        text_weight: the power of the text posterior.
        graph_weight: weight of the neighbours' mean posterior as a logit; 0 without a neighbour graph.
    """

    scale: float
    temper: float
    text_weight: float = 1.0
    graph_weight: float = 0.0


@dataclass(frozen=True)
class Mixture:
    """A fitted mixture.

    Attributes:
        weights: [K, d] and
        bias: [K], of the linear class logits, text and class bias included.
        shares: [K] posterior mass of each class, summing to 1.
        classes: [n] the items' most probable classes, by means that leave the item out.
    """

    weights: Tensor
    bias: Tensor
    shares: Tensor
    classes: Tensor


def fit_mixture(target: Target, settings: MixtureSettings, class_bias: Tensor | None = None) -> Mixture:
    """Fit the classes' means and the variance, from the text posterior until posteriors settle, 12 steps at most.

    Args:
        target: the data and the classes.
        settings: how.
        class_bias: [K] added to every item's logits; None for none.
    """
    prototypes = target.prototypes
    bias = torch.zeros(len(prototypes)).to(prototypes) if class_bias is None else class_bias
    fit = _Fit(target, settings, bias)
    for _ in range(_MOST_STEPS):
        if fit.step() < _SETTLED:
            break
    return fit.mixture()


class _Fit:
    """Posteriors and classes while they are fitted."""

    def __init__(self, target: Target, settings: MixtureSettings, bias: Tensor) -> None:
        self._target, self._settings, self._bias = target, settings, bias
        self._mean = target.features.mean(dim=0)
        centred = target.features - self._mean
        self._posterior = torch.empty(len(centred), len(bias), dtype=centred.dtype, device=centred.device)
        for rows in target.pieces:
            self._posterior[rows] = self._text(rows).softmax(dim=1)
        mass = self._posterior.sum(dim=0)
        anchors = (self._posterior.T @ centred) / mass.clamp(min=1e-9)[:, None]
        self._classes = GaussianClasses(centred, anchors, ANCHOR_ITEMS)
        self._classes.fit((rows, self._posterior[rows]) for rows in target.pieces)
        self._moved = 1.0

    def _text(self, rows: slice) -> Tensor:
        """Logits [r, K] of the text and the class bias."""
        settings = self._settings
        return torch.add(self._bias, self._target.cosines(rows), alpha=settings.text_weight * settings.scale)

    def step(self) -> float:
        """Posteriors from means that leave the item out, then the means; how far posteriors moved, 0 to 1."""
        self._classes.fit(self._new_posteriors())
        return self._moved

    def _new_posteriors(self) -> Iterator[tuple[slice, Tensor]]:
        # Without a graph no item's posterior depends on another's, and one matrix [n, K] is enough.
        before = self._posterior
        self._posterior = torch.empty_like(before) if self._settings.graph_weight else before
        moved = 0.0
        for rows in self._target.pieces:
            logits = self._text(rows).add_(self._classes.likelihood(rows, before[rows]), alpha=self._settings.temper)
            if self._settings.graph_weight:
                logits.add_(self._target.neighbours.mean(before, rows), alpha=self._settings.graph_weight)
            posterior = logits.softmax(dim=1)
            moved += (posterior - before[rows]).abs_().sum().item() / 2
            self._posterior[rows] = posterior
            yield rows, posterior
        self._moved = moved / len(before)

    def mixture(self) -> Mixture:
        """The linear classifier; the text's own normaliser is the same for all classes and drops out."""
        settings, classes = self._settings, self._classes
        weights = settings.temper * classes.weights
        bias = self._bias - settings.temper * classes.norms / 2 - weights @ self._mean
        text = settings.text_weight * settings.scale * self._target.prototypes
        return Mixture(text + weights, bias, classes.mass / classes.mass.sum(), self._posterior.argmax(dim=1))
