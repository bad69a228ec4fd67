"""Vectors in groups with class features beside them, as the features of two towers lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Clusters:
    """Groups of vectors.

    Attributes:
        features: [n, d], of any length.
        class_features: [K, d], each off its group's centre.
        labels: [n] the group of each vector.
    """

    features: npt.NDArray[np.float32]
    class_features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]

    def accuracy(self, predictions: npt.NDArray[np.int64]) -> float:
        return float((predictions == self.labels).mean())


def clusters(count: int = 400, classes: int = 8, width: int = 32, *, seed: int = 0, displaced: float = 1.6) -> Clusters:
    """Gaussian groups around random directions; the class features are displaced from the groups' means."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(classes, width))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    labels = np.arange(count) % classes
    noise = random.normal(size=(count, width)) / np.sqrt(width)
    lengths = random.uniform(0.5, 20, size=(count, 1))
    features = (means[labels] + 0.5 * noise) * lengths
    class_features = means + displaced * random.normal(size=means.shape) / np.sqrt(width)
    return Clusters(features.astype(np.float32), class_features.astype(np.float32), labels)


def two_cones(count: int = 600, classes: int = 10, width: int = 64, *, seed: int = 0, gap: float = 0.5) -> Clusters:
    """Features and class features as a CLIP's: in two cones, with noise that differs between directions.

    A class's features lie about a mean of their own, and its class feature is only roughly parallel to that mean.
    `gap` is the length of what all features, and all class features, have in common; a class's own part is about 1.
    """
    random = np.random.default_rng(seed)
    spread = np.exp(random.normal(scale=0.5, size=width)) / np.sqrt(width)
    cones = gap * random.normal(size=(2, width)) / np.sqrt(width)
    means = random.normal(size=(classes, width)) / np.sqrt(width)
    labels = random.integers(classes, size=count)
    features = cones[0] + means[labels] + spread * random.normal(size=(count, width))
    class_features = cones[1] + means + 1.3 * random.normal(size=means.shape) / np.sqrt(width)
    return Clusters(features.astype(np.float32), class_features.astype(np.float32), labels)


def stretched(data: Clusters, directions: int, times: float) -> Clusters:
    """The features longer along the widest directions, so that near ones are alike whatever their class."""
    mean = data.features.mean(axis=0)
    _, _, axes = np.linalg.svd(data.features - mean, full_matrices=False)
    along = (data.features - mean) @ axes[:directions].T @ axes[:directions]
    return replace(data, features=(data.features + (times - 1) * along).astype(np.float32))
