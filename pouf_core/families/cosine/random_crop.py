"""Random crops whose every number comes from one generator, so that they repeat in whatever thread they are made."""

from __future__ import annotations

import math

import torch
from PIL import Image

RATIOS = (3 / 4, 4 / 3)
"""Least and largest width of a crop as a multiple of its height."""
_TRIES = 10


def drawn_crop(
    picture: Image.Image,
    size: int,
    shares: tuple[float, float],
    resampling: Image.Resampling,
    random: torch.Generator,
) -> Image.Image:
    """A random part of a picture, brought to a square.

    The numbers are drawn as `torchvision.transforms.RandomResizedCrop` draws them, so equal seeds give equal crops.

    Args:
        picture: any.
        size: side of the result in pixels.
        shares: least and largest share of the picture's area.
        resampling: how it is resized.
        random: where the numbers come from.
    """
    left, top, width, height = _drawn_box(picture.size, shares, random)
    return picture.crop((left, top, left + width, top + height)).resize((size, size), resampling)


def _drawn_box(
    whole: tuple[int, int], shares: tuple[float, float], random: torch.Generator
) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels."""
    width, height = whole
    log_ratios = torch.log(torch.tensor(RATIOS))
    for _ in range(_TRIES):
        area = width * height * torch.empty(1).uniform_(*shares, generator=random).item()
        log_ratio = torch.empty(1).uniform_(log_ratios[0].item(), log_ratios[1].item(), generator=random)
        ratio = torch.exp(log_ratio).item()
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            top, left = (_drawn_below(rest + 1, random) for rest in (height - high, width - wide))
            return left, top, wide, high
    return _central_box(width, height)


def _drawn_below(limit: int, random: torch.Generator) -> int:
    return int(torch.randint(0, limit, (1,), generator=random).item())


def _central_box(width: int, height: int) -> tuple[int, int, int, int]:
    """The largest box around the centre whose ratio is allowed."""
    least, most = RATIOS
    wide, high = width, height
    if width / height < least:
        high = round(width / least)
    elif width / height > most:
        wide = round(height * most)
    return (width - wide) // 2, (height - high) // 2, wide, high
