"""Steps of the paper's recipe as its public code takes them: fresh views, float32, nothing kept between steps.

For `adaptation.py` and `gpu_check.py`, which set the product's steps beside it. See docs/method.md for the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.preprocessing import transforms  # torchvision's, made importable
from pouf_core.families.cosine.prompts import Prompts
from pouf_core.objective import mutual_information_loss, transport_cost

BATCH, STEPS = 96, 5000
MUTUAL_INFORMATION_WEIGHT = 0.3
RATES = {"prompt": 1e-3, "model": 5e-7}
SCALE_RATE = 5e-7
GAMMA, POWER = 2e-4, 0.75


class FreshViews(Dataset[Tensor]):
    """A new random crop of a picture at every look.

    Args:
        paths: of the pictures.
        base: whose size and normalisation they get.
    """

    def __init__(self, paths: Sequence[Path], base: ClipLikeModel) -> None:
        size = base.image_size
        side = max(256, round(256 / 224 * size))
        self._paths = paths
        self._transform = transforms.Compose(
            [
                transforms.Resize((side, side), interpolation=transforms.InterpolationMode.BICUBIC),
                transforms.RandomResizedCrop(size),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(base.image_mean, base.image_std),
            ]
        )

    def __len__(self) -> int:
        """Pictures."""
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        """Pixels [3, H, W]."""
        pixels: Tensor = self._transform(Image.open(self._paths[index]).convert("RGB"))
        return pixels


class Recipe:
    """Training as the public code does it.

    Args:
        base: a base model of its own, in float32; it is trained in place.
        prompts: of K classes, one template.
        paths: of the pictures.
        tune: `prompt` or `model`.
        workers: processes that make the views; 0 makes them between the steps.
        batch: pictures a step.
    """

    def __init__(
        self,
        base: ClipLikeModel,
        prompts: Prompts,
        paths: Sequence[Path],
        tune: Literal["prompt", "model"],
        workers: int = 0,
        batch: int = BATCH,
    ) -> None:
        torch.manual_seed(0)
        self._base, self._prompts = base, prompts
        self._tokens, self._placement = prompts.tokens.to(base.device), prompts.placement.to(base.device)
        self._context = nn.Parameter(base.initial_context(prompts)) if tune == "prompt" else None
        towers = [item for name, item in base.network.named_parameters() if not name.startswith("logit_")]
        trained = towers if self._context is None else [self._context]
        scale = base.network.get_parameter("logit_scale")
        for parameter in (*trained, scale):
            parameter.requires_grad_(True)
        groups = [{"params": trained, "lr": RATES[tune]}, {"params": [scale], "lr": SCALE_RATE}]
        self._optimizer = torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=1e-3)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, lambda step: (1 + GAMMA * step) ** -POWER)
        views = FreshViews(paths, base)
        self._loader = DataLoader(
            views,
            min(batch, len(paths)),
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            pin_memory=base.device.type == "cuda",
            persistent_workers=workers > 0,
        )
        self._batches = self._endless()

    def step(self) -> float:
        """One step; gives its loss."""
        pixels = next(self._batches).to(self._base.device)
        with torch.set_grad_enabled(self._context is None):
            features = F.normalize(self._base.network.encode_image(pixels), dim=-1)  # type: ignore[operator]
        similarity = features @ self.prototypes().T
        logits = self._base.logit_scale.exp() * similarity
        transport = sum(transport_cost(similarity, logits))
        loss = transport + MUTUAL_INFORMATION_WEIGHT * mutual_information_loss(logits)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._schedule.step()
        return float(loss.detach())

    def prototypes(self) -> Tensor:
        """[K, d] under the present parameters."""
        text = self._base.text(self._tokens, self._context, self._placement)
        return F.normalize(text, dim=-1)

    def _endless(self) -> Iterator[Tensor]:
        while True:
            yield from self._loader
