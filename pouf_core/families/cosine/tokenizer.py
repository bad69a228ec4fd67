"""One face for open_clip's tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class TextTokenizer:
    """Texts to padded token ids, and single ids back to text.

    Args:
        tokenizer: an open_clip `SimpleTokenizer`, `HFTokenizer` or `SigLipTokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._empty = self([""])[0]
        self.pad_token_id = int(self._empty[-1])

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
        """Token ids [K, L], cut and padded to the context length (the model's own by default)."""
        ids: Tensor = self._tokenizer(list(texts), context_length=context_length)
        return ids

    def save(self, directory: Path) -> None:
        """Write the files that Hugging Face's tokenizers are read from; nothing of open_clip's own tokenizer."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None and hasattr(inner, "save_pretrained"):
            inner.save_pretrained(directory)

    def decode(self, token_id: int) -> str:
        """The text of one token, without markers of word boundaries."""
        inner = getattr(self._tokenizer, "tokenizer", self._tokenizer)
        return str(inner.decode([token_id]))

    def live_lengths(self, rows: Tensor) -> list[int]:
        """Number of positions of each row [K, L] up to its last token that is not padding."""
        positions = torch.arange(1, rows.shape[1] + 1)
        return [int(length) for length in ((rows != self.pad_token_id) * positions).amax(dim=1)]

    def special_counts(self, row: Tensor) -> tuple[int, int]:
        """How many special tokens stand before and after the text of a row [L] of ids."""
        leading = shared_prefix(self._empty, row)
        leading = min(leading, self.live_lengths(self._empty.unsqueeze(0))[0])
        trailing = self.live_lengths(self._empty.unsqueeze(0))[0] - leading
        return leading, trailing


def shared_prefix(first: Tensor, second: Tensor) -> int:
    """Number of leading ids that two rows [L] share."""
    differs = (first != second).nonzero()
    return int(differs[0]) if len(differs) else len(first)
