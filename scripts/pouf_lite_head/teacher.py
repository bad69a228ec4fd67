"""The second opinion a picture gets: its ImageNet classes, as a point in MiniLM's space."""

from __future__ import annotations

import torch
from open_clip.model import CustomTextCLIP
from timm.data import ImageNetInfo
from torch import nn
from torch.nn import functional as F

from pouf_lite_head.captions import embed_texts


class ImageNetTeacher(nn.Module):
    """Text embedding of a picture's ImageNet classes: softmax over the 1,000 classes times their names' embeddings."""

    def __init__(self, classifier: nn.Linear, network: CustomTextCLIP, temperature: float = 1.0) -> None:
        super().__init__()
        self.classifier = classifier.requires_grad_(False)
        self.temperature = temperature
        info = ImageNetInfo()
        names = [info.index_to_description(index) for index in range(classifier.out_features)]
        self.register_buffer("class_embeddings", embed_texts(network, names))

    @torch.no_grad()
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Pooled trunk features [B, 1280] -> unit-length targets [B, 384]."""
        probabilities = F.softmax(self.classifier(features).float() / self.temperature, dim=-1)
        return F.normalize(probabilities @ self.class_embeddings, dim=-1)
