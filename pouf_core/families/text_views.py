"""Views of a text: reproducible from its content hash, the view's number and the seed."""

from __future__ import annotations

import torch

from pouf_core.data.items import Item
from pouf_core.data.texts import Text, TextItem, text_item
from pouf_core.system.runtime import generator

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
        """Characters of the text, or of both texts of a pair."""
        return len(item.text())

    def plain(self, item: Item) -> Text:
        """The text as it is."""
        return item.text()

    def view(self, item: Item, number: int) -> Text:
        """One version of the text, of at least one word; of a pair, one version of each text."""
        text = item.text()
        if self.name(number) == "plain":
            return text
        random = generator(self._seed, "words", item.sha256, number)
        if isinstance(text, TextItem) and text.text_pair is not None:
            return TextItem(_thinned(text.text, random), _thinned(text.text_pair, random))
        return _thinned(text_item(text).text, random)


def _thinned(text: str, random: torch.Generator) -> str:
    words = text.split()
    drawn = torch.rand(len(words), generator=random).tolist()
    kept = [word for word, chance in zip(words, drawn, strict=True) if chance >= LEFT_OUT]
    return " ".join(kept) if kept else text
