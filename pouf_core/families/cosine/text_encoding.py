"""Text features from token ids, with learned context vectors in place of some token embeddings.

The model's own `encode_text` does all the work; a hook on its input embedding puts the context vectors in.
Untrained prompts therefore equal the model's own text features by construction, for every architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from open_clip.hf_model import HFTextEncoder, MaxPooler
from torch import Tensor, nn
from torch.func import functional_call

from pouf_core.families.context_vectors import context_in_place
from pouf_core.families.cosine.trained_parameters import blocks_of, text_projection, text_tower
from pouf_core.families.cosine.transformers_towers import TransformersTextTower

_FLOATS_PER_BLOCK = 18  # kept for the gradient by one transformer block for one position, as multiples of the width
_BYTES = 4


class _EncodeText(nn.Module):
    """Gives `encode_text` the name `forward`, which is what `functional_call` runs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.network.encode_text(tokens)  # type: ignore[operator]
        return features


class TextEncoding:
    """The text side of a network with `encode_text`.

    Args:
        network: an open_clip model (`CLIP`, `CustomTextCLIP`, `CoCa`), a `DualEncoder` or a sentence encoder.
        pad_token_id: the id that fills prompts up to the context length.
    """

    def __init__(self, network: nn.Module, pad_token_id: int) -> None:
        self._pad_token_id = pad_token_id
        self._encode = _EncodeText(network)
        self.tower = text_tower(network)
        self._prefix = "network." if self.tower is network else "network.text."

    @property
    def input_embedding(self) -> nn.Module:
        """The module that turns token ids [K, L] into embeddings [K, L, width]."""
        if isinstance(self.tower, HFTextEncoder | TransformersTextTower):
            embedding: nn.Module = self.tower.transformer.get_input_embeddings()
            return embedding
        return self.tower.token_embedding  # type: ignore[return-value]

    @property
    def is_causal(self) -> bool:
        """True where no position attends to a later one and the feature is read at one of the prompt's own tokens."""
        if isinstance(self.tower, TransformersTextTower):
            return self.tower.is_causal
        return (
            getattr(self.tower, "attn_mask", None) is not None
            and not self._appends_class_token
            and self._pool_type in ("argmax", "eos")
        )

    @property
    def masks_padding(self) -> bool:
        """True where no live position attends to padding: most Hugging Face towers and CoCa's."""
        if isinstance(self.tower, TransformersTextTower):
            return self.tower.masks_padding
        if isinstance(self.tower, HFTextEncoder):
            pad_is_masked = bool(self.tower.config.pad_token_id == self._pad_token_id)
            return pad_is_masked and not isinstance(self.tower.pooler, MaxPooler)
        return self._appends_class_token and bool(self.tower.pad_id == self._pad_token_id)

    @property
    def _appends_class_token(self) -> bool:
        """CoCa's text tower reads the feature at a learned token after the last position."""
        return getattr(self.tower, "cls_emb", None) is not None

    @property
    def _pool_type(self) -> str | None:
        return getattr(self.tower, "pool_type", getattr(self.tower, "text_pool_type", None))

    def cut(self, tokens: Tensor) -> Tensor:
        """Drop the positions that no prompt uses, where that leaves the features as they are.

        Exact for causal towers (nothing before the position that is read sees what follows it) and for towers that
        mask padding. Towers that attend to padding keep every position.

        Args:
            tokens: [K, L] token ids.

        Returns:
            [K, L'] with L' <= L.
        """
        if not (self.is_causal or self.masks_padding):
            return tokens
        last = int((tokens != self._pad_token_id).nonzero()[:, 1].max())
        if self.is_causal:
            last = max(last, int(self._read_positions(tokens).max()))
        if self._appends_class_token:
            last += 1  # CoCa's mask is off by one, so the first position of padding is attended to
        return tokens[:, : last + 1]

    def _read_positions(self, tokens: Tensor) -> Tensor:
        """Where a causal tower reads its feature, [K]; as `open_clip.transformer.text_global_pool` finds it."""
        if isinstance(self.tower, TransformersTextTower):
            return self.tower.read_positions(tokens)
        if self._pool_type == "argmax":
            return tokens.argmax(dim=1)
        end: Any = getattr(self.tower, "eos_id", getattr(self.tower, "text_eos_id", None))
        first: Tensor = (tokens == end).int().argmax(dim=1)
        return first

    def prompts_within(self, memory: int, length: int) -> int:
        """How many prompts of a length can be encoded at once if their gradient may take so many bytes, at least 1.

        An estimate from the tower's depth and width, for float32.
        """
        width = self.input_embedding.embedding_dim
        floats = length * int(width) * _FLOATS_PER_BLOCK * len(blocks_of(self.tower))  # type: ignore[arg-type]
        return max(1, memory // (floats * _BYTES))

    def __call__(self, tokens: Tensor, context: Tensor | None = None, placement: Tensor | None = None) -> Tensor:
        """Text features.

        Args:
            tokens: [K, L] token ids, cut or not.
            context: [N, width] context vectors.
            placement: [K, L] index of the context vector that stands at each position, -1 for none.

        Returns:
            [K, d] features, not normalised.
        """
        if context is None or placement is None or not len(context):
            return self._features(tokens)
        with context_in_place(self.input_embedding, context, placement):
            return self._features(tokens)

    def before_projection(self, tokens: Tensor) -> Tensor:
        """What the projection takes, [K, c], of token ids [K, L]; the features themselves where there is none."""
        projection = text_projection(self.tower)
        if projection is None:
            return self._features(tokens)
        if isinstance(projection, nn.Module):
            taken: list[Tensor] = []
            with projection.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0])):
                self._features(tokens)
            return taken[0]
        identity = torch.eye(len(projection), dtype=projection.dtype, device=projection.device)
        return self._features(tokens, {self._prefix + "text_projection": identity})

    def project(self, features: Tensor) -> Tensor:
        """Text features [K, d] of what `before_projection` gave, not normalised."""
        projection = text_projection(self.tower)
        if isinstance(projection, nn.Module):
            projected: Tensor = projection(features)
            return projected
        return features if projection is None else features @ projection

    def _features(self, tokens: Tensor, swapped: Mapping[str, Tensor] | None = None) -> Tensor:
        replaced = {**self._swapped_buffers(tokens.shape[1]), **(swapped or {})}
        features: Tensor = functional_call(self._encode, replaced, (tokens,))
        return features

    def _swapped_buffers(self, length: int) -> dict[str, Tensor]:
        """Positional embedding and attention mask for a cut sequence; gradients flow to the originals."""
        if isinstance(self.tower, HFTextEncoder | TransformersTextTower):
            return {}
        positions: Tensor = self.tower.positional_embedding  # type: ignore[assignment]
        if self._appends_class_token and length + 1 < len(positions):
            return {self._prefix + "positional_embedding": torch.cat([positions[:length], positions[-1:]])}
        if not self.is_causal:
            return {}
        mask: Tensor = self.tower.attn_mask  # type: ignore[assignment]
        return {
            self._prefix + "positional_embedding": positions[:length],
            self._prefix + "attn_mask": mask[:length, :length],
        }
