"""The ImageNet teacher: the ImageNet classes that it predicts for a picture, as a point in MiniLM's space."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from open_clip.model import CustomTextCLIP
from timm.data import ImageNetInfo
from torch import nn
from torch.nn import functional

from pouf_lite_head.captions import embed_texts

LARGEST_FEATURE = 6.0  # the trunk ends in ReLU6
LONGEST_PUSH = 30.0  # twice the length of a picture's features


class TeacherOutput(NamedTuple):
    """Unit-length targets [B, 384], and how certain the teacher is of each [B], 0 (not at all) to 1."""

    targets: torch.Tensor
    certainties: torch.Tensor


class ImageNetTeacher(nn.Module):
    """Text embedding of a picture's ImageNet classes: softmax over the 1,000 classes times their names' embeddings."""

    class_embeddings: torch.Tensor

    def __init__(self, classifier: nn.Linear, network: CustomTextCLIP) -> None:
        super().__init__()
        self.classifier = classifier.requires_grad_(False)
        info = ImageNetInfo()
        names = [info.index_to_description(index) for index in range(classifier.out_features)]
        self.register_buffer("class_embeddings", embed_texts(network, names))

    @torch.no_grad()
    def forward(self, features: torch.Tensor) -> TeacherOutput:
        """The teacher's targets for pooled trunk features [B, 1280]."""
        probabilities = functional.softmax(self.classifier(features).float(), dim=-1)
        targets = functional.normalize(probabilities @ self.class_embeddings, dim=-1)
        entropies = torch.special.entr(probabilities).sum(-1)
        return TeacherOutput(targets, 1 - entropies / math.log(probabilities.shape[-1]))

    @torch.no_grad()
    def imagine(self, features: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Features [B, 1280] of things that no emoji shows: faded ones, pushed towards random ImageNet classes.

        The teacher needs features, not pictures, so this distils classes that no emoji shows.
        """
        classes = torch.randint(self.classifier.out_features, (len(features),), generator=random)
        towards = functional.normalize(self.classifier.weight[classes], dim=-1)
        fade = 1 - 0.7 * torch.rand(len(features), 1, generator=random)
        push = LONGEST_PUSH * torch.rand(len(features), 1, generator=random)
        return (fade * features + push * towards).clamp(0, LARGEST_FEATURE)
