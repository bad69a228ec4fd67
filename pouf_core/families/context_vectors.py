"""Learned context vectors: put in place of token embeddings while a network runs.

Imports no torch by itself: tokenisers, which need none, use `NO_CONTEXT`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

NO_CONTEXT = -1
"""The index at positions where the token's own embedding stays."""


@contextmanager
def context_in_place(embedding: nn.Module, context: Tensor, placement: Tensor) -> Iterator[None]:
    """Let a network's input embedding give context vectors at some positions; gradients flow to them.

    The hook is on the module: no other thread may use the embedding meanwhile.

    Args:
        embedding: token ids [B, L] to embeddings [B, L, width].
        context: [N, width] context vectors.
        placement: [B, L] index of the context vector at each position, `NO_CONTEXT` for none.
    """
    learned = (placement != NO_CONTEXT).unsqueeze(-1)
    index = placement.clamp(min=0)

    def put_context(_module: nn.Module, _inputs: Any, embedded: Tensor) -> Tensor:
        return context[index].to(embedded.dtype).where(learned, embedded)

    handle = embedding.register_forward_hook(put_context)
    try:
        yield
    finally:
        handle.remove()
