"""Views of a picture: reproducible from its content hash, the view's number and the seed, in whatever thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pouf_core.data.items import Item
from pouf_core.data.kept_pixels import KeptPixels, Pixels
from pouf_core.families.cosine.preprocessing import NormalizedPixels, pixel_steps
from pouf_core.families.cosine.random_crop import drawn_crop
from pouf_core.system.runtime import generator

REFERENCE_SIDE, REFERENCE_INPUT = 256, 224
"""Pixels that the public code resizes a picture to before it draws a crop, and those of its towers' input."""


class ImageViews:
    """Random views of a picture, reproducible from the seed; safe in several threads.

    The random numbers of a view come from a generator of its own, seeded by the adaptation's seed, the picture's
    content hash and the view's number: neither the order in which views are made nor the number of threads matters.

    Args:
        kind: `none`, `flip`, `mild` or `reference`, as in `ResolvedMethod.augmentation`.
        inference: the model's own preprocessing, which gives view 0.
        size: side of the model's input in pixels.
        mean, std: the model's normalisation.
        seed: the adaptation's seed.
        kept: keeps what is decoded, for other views of the same pictures; None keeps nothing.
        compact: give 8-bit pixels, for the device to normalise, wherever `inference` ends in that normalisation.
    """

    def __init__(
        self,
        kind: str,
        inference: Callable[[Image.Image], Tensor],
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        seed: int,
        *,
        kept: KeptPixels | None = None,
        compact: bool = False,
    ) -> None:
        self._kind = kind
        self._inference = inference
        self._size = size
        self._seed = seed
        self._kept = kept or KeptPixels(lambda: 0)
        self._steps = pixel_steps(inference, mean, std)
        self._compact = compact and self._steps is not None
        self._normalize = NormalizedPixels(mean, std)

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
        """Pixels [3, H, W] of the picture as it is: float32 and normalised, or uint8 where they are `compact`."""
        if self._steps is None:
            return self._inference(item.image())
        return self._tensor(self._plain_pixels(item))

    def view(self, item: Item, number: int) -> Tensor:
        """Pixels [3, H, W] of one view; view 0 of everything but `reference` is the plain picture."""
        name = self.name(number)
        if name == "plain":
            return self.plain(item)
        if name == "mirrored":
            return self._mirrored(item)
        random = generator(self._seed, "view", item.sha256, number)
        crop = self._reference_crop if self._kind == "reference" else self._mild_crop
        pixels = np.array(crop(item, random))
        is_mirrored = bool(torch.rand(1, generator=random) < 0.5)
        return self._tensor(np.ascontiguousarray(pixels[:, ::-1]) if is_mirrored else pixels)

    def _mirrored(self, item: Item) -> Tensor:
        if self._steps is None:
            return self._inference(item.image()).flip(-1)
        return self._tensor(np.ascontiguousarray(self._plain_pixels(item)[:, ::-1]))

    def _plain_pixels(self, item: Item) -> Pixels:
        assert self._steps is not None
        steps = self._steps
        return self._kept.get(item.sha256, "plain", lambda: np.array(steps(item.image())))

    def _reference_crop(self, item: Item, random: torch.Generator) -> Image.Image:
        """The public code's: the whole picture to a square, bicubic, and a crop of that, bilinear.

        The square grows in proportion for towers with more pixels than the public code's, so that no crop is enlarged
        for it twice.
        """
        side = max(REFERENCE_SIDE, round(REFERENCE_SIDE / REFERENCE_INPUT * self._size))
        whole = (side, side)

        def square() -> Pixels:
            return np.array(item.image().resize(whole, Image.Resampling.BICUBIC))

        picture = Image.fromarray(self._kept.get(item.sha256, "square", square))
        return drawn_crop(picture, self._size, (0.08, 1.0), Image.Resampling.BILINEAR, random)

    def _mild_crop(self, item: Item, random: torch.Generator) -> Image.Image:
        picture = item.image() if isinstance(item.source, Image.Image) else self._decoded(item)
        return drawn_crop(picture, self._size, (0.6, 1.0), Image.Resampling.BICUBIC, random)

    def _decoded(self, item: Item) -> Image.Image:
        return Image.fromarray(self._kept.get(item.sha256, "decoded", lambda: np.array(item.image())))

    def _tensor(self, pixels: Pixels) -> Tensor:
        if self._compact:
            return torch.from_numpy(pixels).permute(2, 0, 1)
        return self._normalize.of_pixels(pixels)
