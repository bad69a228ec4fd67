"""Fit the projection head on cached features."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional
from tqdm import trange

from pouf_lite_head.captions import Captions
from pouf_lite_head.precision import fast_autocast
from pouf_lite_head.teacher import ImageNetTeacher


@dataclass(frozen=True)
class Recipe:
    """Everything that was chosen on held-out emoji.

    Attributes:
        scale: scale of the cosines in the contrastive loss.
        logit_scale: scale to save with the head, the one whose probabilities fit held-out pictures best.
        teacher_weight: of the ImageNet teacher on the pictures, times its certainty about each.
        imagined_weight: of the ImageNet teacher on features that no picture has.
        name_share, subgroup_share: of the captions; the rest are keywords.
        original_share: of the pictures; the rest are augmented.
        noise, dropout: of the features that the head reads; noise multiplies each by exp(noise * normal).
        mix: most of another picture's features that may be mixed in; the caption stays.
    """

    steps: int = 600
    batch: int = 512
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    scale: float = 30.0
    logit_scale: float = 20.0
    teacher_weight: float = 0.5
    imagined_weight: float = 2.0
    name_share: float = 0.375
    subgroup_share: float = 0.25
    original_share: float = 0.25
    noise: float = 0.5
    dropout: float = 0.4
    mix: float = 0.4


@dataclass(frozen=True)
class TrainingSet:
    """What the head learns from.

    Attributes:
        features: [V, N, 1280] float16, view 0 being the pictures as they are.
        emoji_of: [N] rows of the captions' weights.
        odds: [N] how often to draw a picture.
    """

    features: torch.Tensor
    emoji_of: torch.Tensor
    odds: torch.Tensor

    def only(self, kept: torch.Tensor) -> TrainingSet:
        """The same without the pictures that are not `kept` [N]."""
        return replace(self, odds=self.odds * kept)


class Batch(NamedTuple):
    """Features [B, 1280] of pictures, a caption's embedding [B, 384] for each, and what else fits [B, B]."""

    features: torch.Tensor
    texts: torch.Tensor
    fits_too: torch.Tensor


@dataclass(frozen=True)
class Fitting:
    """What every head is fitted with, whichever pictures it may see."""

    captions: Captions
    teacher: ImageNetTeacher
    recipe: Recipe
    seed: int

    def fit(self, head: nn.Module, data: TrainingSet) -> nn.Module:
        """Train `head` ([B, 1280] -> [B, 384]) in place and return it in eval mode."""
        torch.manual_seed(self.seed)  # dropout
        recipe, random = self.recipe, torch.Generator().manual_seed(self.seed)
        draw = CaptionedPictures(data, self.captions, recipe, random)
        optimizer = torch.optim.AdamW(head.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_cosine(step, recipe.steps))
        head.train()
        for _ in (progress := trange(recipe.steps, desc="head", mininterval=5)):
            loss = self._loss(head, draw.batch(), random)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        return head.eval()

    def _loss(self, head: nn.Module, batch: Batch, random: torch.Generator) -> torch.Tensor:
        count, recipe = len(batch.features), self.recipe
        imagined = self.teacher.imagine(batch.features[: count // 2], random)
        features = torch.cat([batch.features, imagined])
        with fast_autocast():
            outputs = head(torch.cat([self._disturbed(batch.features, random), imagined])).float()
            opinion = self.teacher(features)
        outputs = functional.normalize(outputs, dim=-1)
        distances = 1 - (outputs * opinion.targets).sum(-1)
        distances = distances * opinion.certainties
        return (
            contrastive_loss(outputs[:count], batch.texts, batch.fits_too, recipe.scale)
            + recipe.teacher_weight * distances[:count].mean()
            + recipe.imagined_weight * distances[count:].mean()
        )

    def _disturbed(self, features: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Features [B, 1280] as other kinds of picture might have them, so that the head relies on no single one."""
        noise = torch.randn(features.shape, generator=random)
        features = functional.dropout(features * torch.exp(self.recipe.noise * noise), self.recipe.dropout)
        share = self.recipe.mix * torch.rand(len(features), 1, generator=random)
        return features.lerp(features[torch.randperm(len(features), generator=random)], share)


class CaptionedPictures:
    """Draws random pictures, each in a random view and with a random caption."""

    def __init__(self, data: TrainingSet, captions: Captions, recipe: Recipe, random: torch.Generator) -> None:
        self._data, self._captions, self._recipe, self._random = data, captions, recipe, random
        keyword_share = 1 - recipe.name_share - recipe.subgroup_share
        said = (
            recipe.name_share * captions.names
            + keyword_share * captions.keywords
            + recipe.subgroup_share * captions.subgroups
        )
        self._fits = said > 0
        # [E, C] of a few dozen candidates an emoji: drawing from all thousands of phrases would take longest of all.
        self._odds, self._candidates = said.topk(int(self._fits.sum(1).max()), dim=1)

    def batch(self) -> Batch:
        """The next pictures."""
        random, recipe, features = self._random, self._recipe, self._data.features
        pictures = torch.multinomial(self._data.odds, recipe.batch, replacement=True, generator=random)
        views = torch.zeros_like(pictures)
        if len(features) > 1:
            views = torch.randint(1, len(features), pictures.shape, generator=random)
            views[torch.rand(pictures.shape, generator=random) < recipe.original_share] = 0
        emoji = self._data.emoji_of[pictures]
        chosen = torch.multinomial(self._odds[emoji], 1, generator=random)
        phrases = self._candidates[emoji].gather(1, chosen).squeeze(1)
        templates = torch.randint(len(self._captions.embeddings), phrases.shape, generator=random)
        texts = self._captions.embeddings[templates, phrases]
        return Batch(features[views, pictures].float(), texts, self._fits[emoji.unsqueeze(1), phrases])


def contrastive_loss(images: torch.Tensor, texts: torch.Tensor, fits_too: torch.Tensor, scale: float) -> torch.Tensor:
    """CLIP's symmetric loss of B pairs [B, 384]; other captions that `fits_too` [B, B] an image are left out."""
    own = torch.eye(len(images), dtype=torch.bool)
    logits = (scale * images @ texts.T).masked_fill(fits_too & ~own, -math.inf)
    target = torch.arange(len(images))
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def _warm_cosine(step: int, steps: int, warm: int = 50) -> float:
    return min(1.0, (step + 1) / warm) * (1 + math.cos(math.pi * step / steps)) / 2
