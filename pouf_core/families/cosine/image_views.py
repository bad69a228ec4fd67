"""Views of a picture: reproducible from its content hash, the view's number and the seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from pouf_core.data.items import Item
from pouf_core.system.runtime import derived_seed

REFERENCE_SIDE, REFERENCE_INPUT = 256, 224
"""Pixels that the public code resizes a picture to before it draws a crop, and those of its towers' input."""


class ImageViews:
    """Random views of a picture, reproducible from the seed.

    Args:
        kind: `none`, `flip`, `mild` or `reference`, as in `ResolvedMethod.augmentation`.
        inference: the model's own preprocessing, which gives view 0.
        size: side of the model's input in pixels.
        mean, std: the model's normalisation.
        seed: the adaptation's seed.
    """

    def __init__(
        self,
        kind: str,
        inference: Callable[[Image.Image], Tensor],
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        seed: int,
    ) -> None:
        self._kind = kind
        self._inference = inference
        self._seed = seed
        self._random = transforms.Compose(
            [*_crops(kind, size), transforms.ToTensor(), transforms.Normalize(list(mean), list(std))]
        )

    def name(self, number: int) -> str:
        """What a view is called: equal names mean equal pixels of equal items."""
        if self._kind == "none" or (number == 0 and self._kind != "reference"):
            return "plain"
        if self._kind == "flip":
            return "mirrored" if number % 2 else "plain"
        return f"{self._kind}-{self._seed}-{number}"

    def size(self, item: Item) -> int:
        """Pictures are brought to one size."""
        return 0

    def plain(self, item: Item) -> Tensor:
        """Pixels [3, H, W] of the picture as it is."""
        return self._inference(item.image())

    def view(self, item: Item, number: int) -> Tensor:
        """Pixels [3, H, W] of one view; view 0 of everything but `reference` is the plain picture."""
        image = item.image()
        name = self.name(number)
        if name == "plain":
            return self._inference(image)
        if name == "mirrored":
            return self._inference(image).flip(-1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(self._seed, "view", item.sha256, number))
            pixels: Tensor = self._random(image)
        return pixels


def _crops(kind: str, size: int) -> list[Callable[..., object]]:
    """What is drawn of a picture before it becomes a tensor; nothing of views that draw nothing.

    `reference` is the public code's: the whole picture to a square, bicubic, and a crop of that, bilinear. The square
    grows in proportion for towers with more pixels than the public code's, so that no crop is enlarged for it twice.
    """
    bicubic, bilinear = InterpolationMode.BICUBIC, InterpolationMode.BILINEAR
    if kind == "mild":
        crop = transforms.RandomResizedCrop(size, scale=(0.6, 1.0), interpolation=bicubic)
        return [crop, transforms.RandomHorizontalFlip()]
    if kind == "reference":
        side = max(REFERENCE_SIDE, round(REFERENCE_SIDE / REFERENCE_INPUT * size))
        return [
            transforms.Resize((side, side), interpolation=bicubic),
            transforms.RandomResizedCrop(size, scale=(0.08, 1.0), interpolation=bilinear),
            transforms.RandomHorizontalFlip(),
        ]
    return []
