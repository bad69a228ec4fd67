"""Features of the frozen image tower, computed once and kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from pouf_core.families.cosine.pouf_lite_network import IMAGE_MEAN, IMAGE_STD
from pouf_lite_head.augment import augmented, plain
from pouf_lite_head.pictures import Pictures
from pouf_lite_head.precision import fast_autocast

BATCH = 32


def view_features(pictures: Pictures, trunk: nn.Module, view: int, cache: Path, seed: int) -> torch.Tensor:
    """Pooled trunk features of every picture, drawn in one way; read from the cache where it has them.

    Args:
        pictures: N pictures.
        trunk: timm's EfficientNet-Lite0.
        view: 0 for the pictures as they are, 1, 2, ... for as many random augmentations of them.
        cache: directory of the features; delete it after a change of the augmentation.
        seed: seed of the augmentation.

    Returns:
        [N, 1280] float16.
    """
    file = cache / f"seed{seed}-view{view}-n{len(pictures.images)}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        features = _compute(pictures, trunk, view, seed)
        partial = file.with_suffix(".partial.npy")
        np.save(partial, features.numpy())
        partial.rename(file)
    return torch.from_numpy(np.load(file))


def _compute(pictures: Pictures, trunk: nn.Module, view: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng((seed, view))
    trunk = trunk.eval().to(memory_format=torch.channels_last)  # over twice as fast on a CPU
    features = []
    for start in tqdm(range(0, len(pictures.images), BATCH), desc=f"features of view {view}"):
        rows = range(start, min(start + BATCH, len(pictures.images)))
        batch = np.stack([_draw(pictures, row, view, rng) for row in rows])
        features.append(pooled(trunk, batch, exact=view == 0))
    return torch.cat(features)


def _draw(pictures: Pictures, row: int, view: int, rng: np.random.Generator) -> np.ndarray:
    if view == 0:
        return plain(pictures.images[row])
    other = pictures.images[rng.integers(len(pictures.images))]
    return augmented(pictures.images[row], other, rng)


@torch.inference_mode()
def pooled(trunk: nn.Module, batch: np.ndarray, exact: bool = True) -> torch.Tensor:
    """[B, 224, 224, 3] uint8 -> [B, 1280] float16; may be in bfloat16 (2.5 times as fast) if not `exact`."""
    pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255  # channels_last already
    pixels = (pixels - torch.tensor(IMAGE_MEAN).view(3, 1, 1)) / torch.tensor(IMAGE_STD).view(3, 1, 1)
    with fast_autocast(not exact):
        maps = trunk.forward_features(pixels)
    return functional.adaptive_avg_pool2d(maps.float(), 1).flatten(1).half()
