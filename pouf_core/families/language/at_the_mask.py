"""A language model's features as one tensor of another, which is what an engine or an exported graph runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pouf_core.families.language.batch import Batch

_BEFORE_THE_IDS = 2  # columns: where the label word is asked for, and how many tokens there are


class AtTheMask(nn.Module):
    """Hidden states where the label word is asked for, after the head's transform, without context vectors.

    Args:
        network: a masked or causal language model.
        transform: of its head.
    """

    def __init__(self, network: Any, transform: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        self._transform = transform

    def forward(self, packed: Tensor) -> Tensor:
        """Features [B, d] of `packed_batch`'s [B, 2 + L]."""
        asked, lengths, ids = packed[:, :1], packed[:, 1:_BEFORE_THE_IDS], packed[:, _BEFORE_THE_IDS:]
        attention = (torch.arange(ids.shape[1], device=ids.device) < lengths).long()
        hidden: Tensor = self.network.base_model(input_ids=ids, attention_mask=attention).last_hidden_state
        place = asked[:, :, None].expand(-1, 1, hidden.shape[2])
        return self._transform(hidden.gather(1, place)[:, 0])


def packed_batch(batch: Batch) -> Tensor:
    """B items padded on the right as one tensor [B, 2 + L]: where the label word is asked for, the length, the ids."""
    return torch.cat([batch.asked[:, None], batch.attention.sum(dim=1, keepdim=True), batch.ids], dim=1)
