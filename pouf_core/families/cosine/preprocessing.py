"""A model's own preprocessing, with its arithmetic in NumPy.

PyTorch would bring in its threads for every picture, which costs more than the arithmetic where several pictures are
prepared at once, or while an encoder computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from pouf_core.data.kept_pixels import Pixels

_TO_TENSOR = ("ToTensor", "MaybeToTensor")


class NormalizedPixels:
    """`ToTensor` and `Normalize` in one, to the bit.

    Args:
        mean, std: torchvision's, one for each of three channels.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self._mean = np.array(mean, dtype=np.float32)[:, None, None]
        self._std = np.array(std, dtype=np.float32)[:, None, None]

    def is_by(self, mean: Sequence[float], std: Sequence[float]) -> bool:
        """Whether it normalises by these."""
        other = NormalizedPixels(mean, std)
        return np.array_equal(self._mean, other._mean) and np.array_equal(self._std, other._std)

    def __call__(self, image: Image.Image) -> Tensor:
        """Pixels [3, H, W], float32, of an RGB picture."""
        return self.of_pixels(np.asarray(image))

    def of_pixels(self, pixels: Pixels) -> Tensor:
        """The same of its 8-bit pixels [H, W, 3]."""
        values = pixels.transpose(2, 0, 1).astype(np.float32, order="C")
        values /= 255
        values -= self._mean
        values /= self._std
        return torch.from_numpy(values)


def in_numpy(transform: Callable[[Image.Image], Tensor]) -> Callable[[Image.Image], Tensor]:
    """The same transform; where it ends in `ToTensor` and `Normalize` of RGB pictures, these run in NumPy."""
    steps: list[Any] = list(getattr(transform, "transforms", []))
    if len(steps) < 2 or type(steps[-2]).__name__ not in _TO_TENSOR or not isinstance(steps[-1], transforms.Normalize):
        return transform
    if len(steps[-1].mean) != 3 or any(type(step).__module__.startswith("torchvision.transforms.v2") for step in steps):
        return transform
    changed: Callable[[Image.Image], Tensor] = transforms.Compose(
        [*steps[:-2], NormalizedPixels(steps[-1].mean, steps[-1].std)]
    )
    return changed


def pixel_steps(
    transform: Callable[[Image.Image], Tensor], mean: Sequence[float], std: Sequence[float]
) -> Callable[[Image.Image], Image.Image] | None:
    """What `in_numpy` gave, but for the arithmetic at its end, where that is by this mean and standard deviation.

    Returns:
        RGB picture to RGB picture; None where the transform ends in another way.
    """
    steps: list[Any] = list(getattr(transform, "transforms", []))
    if not steps or not isinstance(steps[-1], NormalizedPixels) or not steps[-1].is_by(mean, std):
        return None
    picture_steps: Callable[[Image.Image], Image.Image] = transforms.Compose(steps[:-1])
    return picture_steps


def normalized(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """What `NormalizedPixels` gives, for 8-bit pixels [B, 3, H, W] on the device of mean and standard deviation [3].

    On a CPU it is the same to the bit.
    """
    return pixels.float().div_(255).sub_(mean.view(3, 1, 1)).div_(std.view(3, 1, 1))
