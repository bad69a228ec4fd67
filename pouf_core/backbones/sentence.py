"""Base models of texts: a sentence encoder whose one tower embeds the items and the prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from open_clip.hf_model import HFTextEncoder
from torch import Tensor, nn

from pouf_core.backbones.cosine_model import CosineModel, unit_length
from pouf_core.backbones.text_views import TextViews
from pouf_core.backbones.tokenizer import TextTokenizer
from pouf_core.catalogue import BaseModelDescription
from pouf_core.errors import InvalidInput
from pouf_core.texts import TextItem, clean_text, text_item


class SentenceTower(HFTextEncoder):  # type: ignore[misc]
    """A Hugging Face encoder and its pooling under the name that open_clip's text towers have here.

    Args:
        transformer: gives `last_hidden_state` [B, L, width].
        pooler: one of open_clip's poolers.
    """

    def __init__(self, transformer: Any, pooler: nn.Module) -> None:
        nn.Module.__init__(self)  # the parent's own would load the transformer once more
        self.config = transformer.config
        self.transformer = transformer
        self.pooler = pooler
        self.proj = nn.Identity()
        self.output_tokens = False


class SentenceNetwork(nn.Module):
    """One tower for items and prompts, and the scale that turns cosines into logits."""

    def __init__(self, tower: SentenceTower, logit_scale: float) -> None:
        super().__init__()
        self.text = tower
        self.logit_scale = nn.Parameter(torch.tensor(logit_scale))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Features [B, d] of token ids [B, L], not normalised."""
        features: Tensor = self.text(tokens)
        return features


class SentenceTokenizer:
    """Texts to token ids, padded to a length.

    Args:
        tokenizer: a Hugging Face tokenizer that pads at the end.
        longest: tokens that a text may have, special ones included; longer ones are cut, as the encoder was trained.
        lower_case: whether texts are put into lower case first.
    """

    def __init__(self, tokenizer: Any, longest: int, lower_case: bool) -> None:
        self.tokenizer = tokenizer
        self.longest = longest
        self._lower_case = lower_case

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
        """Token ids [K, L], cut and padded to the context length (the longest by default)."""
        return self._ids(texts, "max_length", context_length or self.longest)

    def together(self, texts: Sequence[str]) -> Tensor:
        """Token ids [B, L], padded to the longest of these texts."""
        return self._ids(texts, "longest", self.longest)

    def _ids(self, texts: Sequence[str], padding: str, length: int) -> Tensor:
        stripped = [text.strip() for text in texts]
        lowered = [text.lower() for text in stripped] if self._lower_case else stripped
        encoded = self.tokenizer(lowered, padding=padding, truncation=True, max_length=length, return_tensors="pt")
        ids: Tensor = encoded["input_ids"]
        return ids


class SentenceModel(CosineModel):
    """A sentence encoder as a base model: classes are prompts, embedded as the items are.

    Args:
        description: name, modality and tune modes.
        network: the tower and the scale.
        tokenizer: its tokenizer.
        device: where the network lives.
    """

    item_tower = "text"
    view_kind = "words"

    def __init__(
        self,
        description: BaseModelDescription,
        network: SentenceNetwork,
        tokenizer: SentenceTokenizer,
        device: torch.device,
    ) -> None:
        super().__init__(description, network, TextTokenizer(tokenizer), device)
        self._tokenizer = tokenizer

    def views(self, kind: str, seed: int) -> TextViews:
        """Versions of texts: as they are, or with words left out."""
        return TextViews(kind, seed)

    def encode_items(self, views: Sequence[str]) -> Tensor:
        """Unit-length float32 features [B, d] of B texts."""
        with self._precision():
            features = self.network.encode_text(self._tokenizer.together(views).to(self.device))  # type: ignore[operator]
        return unit_length(features)

    def decode(self, source: Any) -> str:
        """A text as it is encoded.

        Raises:
            InvalidInput: `wrong_modality`, `text_pair_not_supported`, `empty_text`, `text_too_long`.
        """
        if not isinstance(source, str | TextItem):
            message = f"{self.description.name} takes texts, and this is a {type(source).__name__}."
            raise InvalidInput("wrong_modality", message)
        item = text_item(source)
        if item.text_pair is not None:
            message = (
                "A sentence encoder embeds single texts, and a pair joined to one text means another: send `text`."
            )
            raise InvalidInput("text_pair_not_supported", message)
        return clean_text(item.text)

    def plain_view(self, item: str) -> str:
        """The text itself."""
        return item

    def size(self, item: str) -> int:
        """Its length in characters."""
        return len(item)

    def with_network(self, network: nn.Module) -> Self:
        """The same model around another network of the same architecture."""
        assert isinstance(network, SentenceNetwork)
        model = type(self)(self.description, network, self._tokenizer, self.device)
        model.precision = self.precision
        return model
