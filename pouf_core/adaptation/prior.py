"""The class prior: expected share of each class in the target data."""

from __future__ import annotations

from torch import Tensor

PRIOR_POWER = 0.3
_SMALLEST_MEAN = 1e-3


def estimate_prior(probabilities: Tensor) -> Tensor:
    """Class shares from zero-shot probabilities: their mean, raised to the power 0.3 and normalised.

    The mean of zero-shot probabilities mixes the true shares with the model's own leaning towards some classes.
    Taken as it is (power 1), or sharpened by expectation maximisation, it feeds that leaning back into training;
    uniform shares (power 0) are wrong for skewed data. The power lies between the two.

    Args:
        probabilities: [n, K] zero-shot class probabilities.

    Returns:
        [K] positive shares that sum to 1, in float64.
    """
    tempered = probabilities.double().mean(dim=0).clamp(min=_SMALLEST_MEAN) ** PRIOR_POWER
    return tempered / tempered.sum()
