"""A CLIP of two transformers as plain functions of its saved weights. Knows nothing of `pouf_core` or open_clip."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Weights = dict[str, Tensor]
Activation = Callable[[Tensor], Tensor]


def quick_gelu(states: Tensor) -> Tensor:
    return states * (1.702 * states).sigmoid()


def image_features(weights: Weights, pixels: Tensor, heads: int, activate: Activation = F.gelu) -> Tensor:
    """Unit-length features [B, d] of pictures [B, 3, H, W]."""
    kernel = weights["visual.conv1.weight"]
    patches = F.conv2d(pixels, kernel, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
    first = weights["visual.class_embedding"].expand(len(pixels), 1, -1)
    tokens = torch.cat([first, patches], dim=1) + weights["visual.positional_embedding"]
    tokens = layer_norm(weights, "visual.ln_pre", tokens)
    tokens = blocks(weights, "visual.transformer", tokens, heads, mask=None, activate=activate)
    pooled = layer_norm(weights, "visual.ln_post", tokens)[:, 0]
    return unit(pooled @ weights["visual.proj"])


def text_features(
    weights: Weights, tokens: Tensor, heads: int, context: Tensor | None = None, activate: Activation = F.gelu
) -> Tensor:
    """Unit-length features [K, d] of token numbers [K, T]; a context [n, width] stands in for tokens 1 to n."""
    embedded = weights["token_embedding.weight"][tokens]
    if context is not None:
        shared = context.expand(len(tokens), -1, -1)
        embedded = torch.cat([embedded[:, :1], shared, embedded[:, 1 + len(context) :]], dim=1)
    length = tokens.shape[1]
    later = torch.full((length, length), float("-inf"), dtype=embedded.dtype).triu(1)
    states = embedded + weights["positional_embedding"][:length]
    states = blocks(weights, "transformer", states, heads, later, activate)
    states = layer_norm(weights, "ln_final", states)
    ends = tokens.argmax(dim=1)
    return unit(states[torch.arange(len(tokens)), ends] @ weights["text_projection"])


def blocks(
    weights: Weights, name: str, states: Tensor, heads: int, mask: Tensor | None, activate: Activation
) -> Tensor:
    index = 0
    while f"{name}.resblocks.{index}.ln_1.weight" in weights:
        block = f"{name}.resblocks.{index}"
        states = states + attention(weights, f"{block}.attn", layer_norm(weights, f"{block}.ln_1", states), heads, mask)
        hidden = linear(weights, f"{block}.mlp.c_fc", layer_norm(weights, f"{block}.ln_2", states))
        states = states + linear(weights, f"{block}.mlp.c_proj", activate(hidden))
        index += 1
    return states


def attention(weights: Weights, name: str, states: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    batch, length, width = states.shape
    mixed = states @ weights[f"{name}.in_proj_weight"].T + weights[f"{name}.in_proj_bias"]
    query, key, value = (part.view(batch, length, heads, -1).transpose(1, 2) for part in mixed.chunk(3, dim=-1))
    scores = query @ key.transpose(-1, -2) / (width // heads) ** 0.5
    if mask is not None:
        scores = scores + mask
    attended = (scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(batch, length, width)
    return linear(weights, f"{name}.out_proj", attended)


def linear(weights: Weights, name: str, states: Tensor) -> Tensor:
    return states @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def layer_norm(weights: Weights, name: str, states: Tensor) -> Tensor:
    centred = states - states.mean(dim=-1, keepdim=True)
    variance = centred.pow(2).mean(dim=-1, keepdim=True)
    return centred / (variance + 1e-5).sqrt() * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def unit(features: Tensor) -> Tensor:
    return features / features.norm(dim=-1, keepdim=True)
