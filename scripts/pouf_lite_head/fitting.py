"""Fit the projection head on cached features."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import trange

from pouf_lite_head.captions import Captions


@dataclass(frozen=True)
class Recipe:
    """Everything that was chosen on held-out emoji."""

    steps: int = 1200
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    scale: float = 30.0
    teacher_weight: float = 2.0
    teacher_temperature: float = 1.0
    name_share: float = 0.5
    subgroup_share: float = 0.1
    original_share: float = 0.25
    dropout: float = 0.1


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


def fit_head(
    head: nn.Module, data: TrainingSet, captions: Captions, teacher: nn.Module, recipe: Recipe, seed: int
) -> nn.Module:
    """Train `head` ([B, 1280] -> [B, 384]) in place and return it in eval mode."""
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    said = caption_odds(captions, recipe)
    odds, candidates = said.topk(int((said > 0).sum(1).max()), dim=1)  # [E, C]: far fewer than all phrases
    optimizer = torch.optim.AdamW(head.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_cosine(step, recipe.steps))
    head.train()
    for _ in (progress := trange(recipe.steps, desc="head", mininterval=5)):
        features, emoji = draw_pictures(data, recipe, random)
        chosen = torch.multinomial(odds[emoji], 1, generator=random)
        phrases = candidates[emoji].gather(1, chosen).squeeze(1)
        templates = torch.randint(len(captions.embeddings), phrases.shape, generator=random)
        texts = captions.embeddings[templates, phrases]
        with torch.autocast("cpu", torch.bfloat16):  # three times as fast
            images, targets = head(F.dropout(features, recipe.dropout)), teacher(features)
        images = F.normalize(images.float(), dim=-1)
        fits_too = said[emoji.unsqueeze(1), phrases] > 0
        loss = contrastive_loss(images, texts, fits_too, recipe.scale)
        loss = loss + recipe.teacher_weight * (1 - (images * targets.float()).sum(-1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return head.eval()


def contrastive_loss(
    images: torch.Tensor, texts: torch.Tensor, fits_too: torch.Tensor, scale: float
) -> torch.Tensor:
    """CLIP's symmetric loss of B pairs [B, 384]; other captions that `fits_too` [B, B] an image are left out."""
    own = torch.eye(len(images), dtype=torch.bool)
    logits = (scale * images @ texts.T).masked_fill(fits_too & ~own, -math.inf)
    target = torch.arange(len(images))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def caption_odds(captions: Captions, recipe: Recipe) -> torch.Tensor:
    """How likely each phrase is for each emoji, [E, P]."""
    keyword_share = 1 - recipe.name_share - recipe.subgroup_share
    return (
        recipe.name_share * captions.names
        + keyword_share * captions.keywords
        + recipe.subgroup_share * captions.subgroups
    )


def draw_pictures(
    data: TrainingSet, recipe: Recipe, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features [B, 1280] of a batch of pictures, each in a random view, and their emoji [B]."""
    pictures = torch.multinomial(data.odds, recipe.batch, replacement=True, generator=random)
    views = torch.zeros_like(pictures)
    if len(data.features) > 1:
        views = torch.randint(1, len(data.features), pictures.shape, generator=random)
        views[torch.rand(pictures.shape, generator=random) < recipe.original_share] = 0
    return data.features[views, pictures].float(), data.emoji_of[pictures]


def _warm_cosine(step: int, steps: int, warm: int = 50) -> float:
    return min(1.0, (step + 1) / warm) * (1 + math.cos(math.pi * step / steps)) / 2
