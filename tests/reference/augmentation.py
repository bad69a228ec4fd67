"""The random views of the public code in Pillow and plain arithmetic. Knows nothing of `pouf_core` or torchvision."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

SIDE, INPUT = 256, 224
AREA = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)
TRIES = 10


def reference_view(image: Image.Image, size: int, mean: Sequence[float], std: Sequence[float], seed: int) -> Tensor:
    """Pixels [3, size, size]: the picture as a bicubic square, a bilinear crop of it, mirrored half of the time."""
    torch.manual_seed(seed)
    side = max(SIDE, round(size * SIDE / INPUT))
    square = image.resize((side, side), Image.Resampling.BICUBIC)
    top, left, height, width = _crop(side)
    view = square.crop((left, top, left + width, top + height)).resize((size, size), Image.Resampling.BILINEAR)
    if torch.rand(1).item() < 0.5:
        view = ImageOps.mirror(view)
    levels = torch.from_numpy(np.array(view, dtype=np.float32)).permute(2, 0, 1) / 255
    return (levels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def _crop(side: int) -> tuple[int, int, int, int]:
    """Top, left, height and width of a crop: a share of the area and an aspect ratio, drawn until it fits."""
    for _ in range(TRIES):
        area = side * side * torch.empty(1).uniform_(*AREA).item()
        low, high = torch.tensor(RATIO).log().tolist()
        aspect = torch.exp(torch.empty(1).uniform_(low, high)).item()
        width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < width <= side and 0 < height <= side:
            top = int(torch.randint(0, side - height + 1, (1,)))
            return top, int(torch.randint(0, side - width + 1, (1,))), height, width
    return 0, 0, side, side
