"""The tokens of several items as tensors of one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pouf_core.families.context_vectors import NO_CONTEXT
from pouf_core.families.language.item_tokenizer import ItemTokens, Kind


@dataclass(frozen=True)
class Batch:
    """B items of at most L tokens.

    Attributes:
        ids: [B, L] token ids.
        attention: [B, L] 1 where there is a token, 0 at padding.
        positions: [B, L] each token's place in its own sequence, from 0; 0 at padding.
        asked: [B] where the label word is asked for.
        context: [B, L] index of the context vector at each token, -1 for none.
    """

    ids: Tensor
    attention: Tensor
    positions: Tensor
    asked: Tensor
    context: Tensor

    def __len__(self) -> int:
        return len(self.ids)


def make_batch(items: Sequence[ItemTokens], *, kind: Kind, pad_id: int, device: torch.device | str = "cpu") -> Batch:
    """Pad items to the longest of them: on the right for a masked model, on the left for a causal one.

    Args:
        items: B items' tokens.
        kind: of which model.
        pad_id: the token that fills up; it is never attended to.
        device: where the tensors are wanted.
    """
    longest = max(len(item.ids) for item in items)
    ids = torch.full((len(items), longest), pad_id)
    attention = torch.zeros(len(items), longest, dtype=torch.long)
    context = torch.full((len(items), longest), NO_CONTEXT)
    asked = torch.zeros(len(items), dtype=torch.long)
    for row, item in enumerate(items):
        start = longest - len(item.ids) if kind == "causal" else 0
        tokens = slice(start, start + len(item.ids))
        ids[row, tokens] = torch.tensor(item.ids)
        attention[row, tokens] = 1
        context[row, tokens] = torch.tensor(item.context)
        asked[row] = start + item.position
    positions = (attention.cumsum(dim=1) - 1).clamp(min=0)
    return Batch(*(tensor.to(device, non_blocking=True) for tensor in (ids, attention, positions, asked, context)))
