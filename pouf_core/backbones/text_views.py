"""Views of a text: reproducible from its content hash, the view's number and the seed."""

from __future__ import annotations

import torch

from pouf_core.data import Item
from pouf_core.runtime import generator

LEFT_OUT = 0.2  # share of the words that a view leaves out on average


class TextViews:
    """Versions of texts, reproducible from the seed.

    Args:
        kind: `none`, or `words`: every view but the first leaves a fifth of the words out.
        seed: the adaptation's seed.
    """

    def __init__(self, kind: str, seed: int) -> None:
        self._kind = kind
        self._seed = seed

    def name(self, number: int) -> str:
        """What a view is called: equal names mean equal versions of equal texts."""
        return "plain" if self._kind == "none" or number == 0 else f"words-{self._seed}-{number}"

    def size(self, item: Item) -> int:
        """Characters of the text."""
        return len(item.text())

    def plain(self, item: Item) -> str:
        """The text as it is."""
        return item.text()

    def view(self, item: Item, number: int) -> str:
        """One version; view 0 is the text as it is, and so is every view of a single word."""
        text = item.text()
        if self.name(number) == "plain":
            return text
        words = text.split()
        drawn = torch.rand(len(words), generator=generator(self._seed, "words", item.sha256, number)).tolist()
        kept = [word for word, chance in zip(words, drawn, strict=True) if chance >= LEFT_OUT]
        return " ".join(kept) if kept else text
