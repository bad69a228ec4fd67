"""A model's own preprocessing, with its arithmetic in NumPy.

PyTorch would bring in its threads for every picture, which costs more than the arithmetic where several pictures are
prepared at once, or while an encoder computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

_TO_TENSOR = ("ToTensor", "MaybeToTensor")


class NormalizedPixels:
    """`ToTensor` and `Normalize` in one, to the bit.

    Args:
        normalize: torchvision's, with a mean and a standard deviation for each of three channels.
    """

    def __init__(self, normalize: transforms.Normalize) -> None:
        self._mean = np.array(normalize.mean, dtype=np.float32)[:, None, None]
        self._std = np.array(normalize.std, dtype=np.float32)[:, None, None]

    def __call__(self, image: Image.Image) -> Tensor:
        """Pixels [3, H, W], float32, of an RGB picture."""
        pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C")
        pixels /= 255
        pixels -= self._mean
        pixels /= self._std
        return torch.from_numpy(pixels)


def in_numpy(transform: Callable[[Image.Image], Tensor]) -> Callable[[Image.Image], Tensor]:
    """The same transform; where it ends in `ToTensor` and `Normalize` of RGB pictures, these run in NumPy."""
    steps: list[Any] = list(getattr(transform, "transforms", []))
    if len(steps) < 2 or type(steps[-2]).__name__ not in _TO_TENSOR or not isinstance(steps[-1], transforms.Normalize):
        return transform
    if len(steps[-1].mean) != 3 or any(type(step).__module__.startswith("torchvision.transforms.v2") for step in steps):
        return transform
    changed: Callable[[Image.Image], Tensor] = transforms.Compose([*steps[:-2], NormalizedPixels(steps[-1])])
    return changed
