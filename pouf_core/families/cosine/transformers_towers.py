"""Vision-language models of transformers (ALIGN, SigLIP, CLIP) under the names that open_clip's have here.

Each tower is run by transformers' own code. What differs between the models is how a text is read:

| | padding | the feature is read at | projections |
|---|---|---|---|
| ALIGN | masked | the first token | of the text alone; pictures are pooled, no layer follows |
| SigLIP | attended to, as trained | the last position | linear for texts, attention pooling for pictures |
| CLIP | after the end token, which sees nothing behind it | the end token | linear for both |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class TransformersImageTower(nn.Module):
    """An image encoder of transformers and the projection behind it.

    Args:
        trunk: gives `pooler_output` [B, c] of `pixel_values` [B, 3, H, W].
        head: [B, c] to [B, d]; the identity where the trunk is all.

    Attributes:
        preprocess_cfg: side of the square input in pixels, and mean and standard deviation of the normalisation.
    """

    def __init__(self, trunk: Any, head: nn.Module | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head or nn.Identity()
        self.preprocess_cfg: dict[str, Any] = {}

    @property
    def image_size(self) -> Any:
        """Side of the square input in pixels, or height and width where it is not square."""
        return self.preprocess_cfg["size"]

    @property
    def projection(self) -> nn.Module | None:
        """What projects into the shared space; where attention pooling is the last thing done, the pooling."""
        return getattr(self.trunk, "head", None) if isinstance(self.head, nn.Identity) else self.head

    def pooled(self, pixels: Tensor) -> Tensor:
        """The trunk's features [B, c]."""
        features: Tensor = self.trunk(pixel_values=pixels).pooler_output
        return features

    def forward(self, pixels: Tensor) -> Tensor:
        """Features [B, d] of pixels [B, 3, H, W], not normalised."""
        features: Tensor = self.head(self.pooled(pixels))
        return features


class TransformersTextTower(nn.Module):
    """A text encoder of transformers and the projection behind it; this one as SigLIP has it.

    Args:
        transformer: the encoder.
        proj: [K, c] to [K, d]; the identity where the encoder projects itself.

    Attributes:
        masks_padding: whether no live position attends to padding.
        is_causal: whether no position attends to a later one.
    """

    masks_padding = False
    is_causal = False

    def __init__(self, transformer: Any, proj: nn.Module | None = None) -> None:
        super().__init__()
        self.transformer = transformer
        self.proj = proj or nn.Identity()

    @property
    def positions(self) -> int:
        """Tokens that it can take."""
        return int(self.transformer.config.max_position_embeddings)

    @property
    def projection(self) -> nn.Module:
        """What projects into the shared space."""
        own: nn.Module = self.transformer.head
        return own

    def read_positions(self, tokens: Tensor) -> Tensor:
        """Where the feature is read, [K]."""
        return torch.full((len(tokens),), tokens.shape[1] - 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Features [K, d] of token ids [K, L], not normalised."""
        features: Tensor = self.proj(self.transformer(input_ids=tokens).pooler_output)
        return features


class ClipTextTower(TransformersTextTower):
    """CLIP's: causal, read at the end token."""

    is_causal = True

    @property
    def projection(self) -> nn.Module:
        """The linear layer behind the encoder."""
        return self.proj

    def read_positions(self, tokens: Tensor) -> Tensor:
        """The end token's first position, or the greatest id's where the configuration has the old, wrong end token."""
        end = self.transformer.eos_token_id
        found = tokens if end == 2 else (tokens == end).int()  # as `CLIPTextModel.forward` has it
        return found.argmax(dim=1)


class AlignTextTower(TransformersTextTower):
    """ALIGN's: BERT, read at the first token."""

    masks_padding = True

    @property
    def projection(self) -> nn.Module:
        """The linear layer behind the encoder."""
        return self.proj

    def read_positions(self, tokens: Tensor) -> Tensor:
        """The first."""
        return torch.zeros(len(tokens), dtype=torch.long)

    def forward(self, tokens: Tensor) -> Tensor:
        """Features [K, d] of token ids [K, L], not normalised."""
        mask = (tokens != self.transformer.config.pad_token_id).long()
        hidden = self.transformer(input_ids=tokens, attention_mask=mask).last_hidden_state
        features: Tensor = self.proj(hidden[:, 0])
        return features


class DualEncoder(nn.Module):
    """An image and a text tower with the scale of their cosines.

    Args:
        visual: the image tower.
        text: the text tower.
        logit_scale: logarithm of the factor between cosine and logit.
        logit_bias: SigLIP's; kept with the weights and, being constant, used nowhere.
    """

    def __init__(
        self,
        visual: TransformersImageTower,
        text: TransformersTextTower,
        logit_scale: Tensor,
        logit_bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.visual = visual
        self.text = text
        self.logit_scale = nn.Parameter(logit_scale.detach().clone())
        if logit_bias is not None:
            self.logit_bias = nn.Parameter(logit_bias.detach().clone())

    def encode_image(self, pixels: Tensor) -> Tensor:
        """Image features [B, d] of pixels [B, 3, H, W], not normalised."""
        features: Tensor = self.visual(pixels)
        return features

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Text features [K, d] of token ids [K, L], not normalised."""
        features: Tensor = self.text(tokens)
        return features


def dual_encoder(network: Any) -> DualEncoder:
    """The towers of a loaded model of transformers; its class is one of `KNOWN`."""
    return KNOWN[type(network).__name__](network)


def _align(network: Any) -> DualEncoder:
    text = network.text_model
    text.pooler = None  # BERT's; the feature is the first token's hidden state
    scale = -network.temperature.detach().log()
    return DualEncoder(
        TransformersImageTower(network.vision_model), AlignTextTower(text, network.text_projection), scale
    )


def _siglip(network: Any) -> DualEncoder:
    image, text = TransformersImageTower(network.vision_model), TransformersTextTower(network.text_model)
    return DualEncoder(image, text, network.logit_scale, network.logit_bias)


def _clip(network: Any) -> DualEncoder:
    image = TransformersImageTower(network.vision_model, network.visual_projection)
    return DualEncoder(image, ClipTextTower(network.text_model, network.text_projection), network.logit_scale)


KNOWN: dict[str, Callable[[Any], DualEncoder]] = {"AlignModel": _align, "CLIPModel": _clip, "SiglipModel": _siglip}
"""Classes of transformers, and how their parts are found."""
