"""Base models of texts: a sentence encoder whose one tower embeds the items and the prompts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import torch
from open_clip.hf_model import HFTextEncoder
from torch import Tensor, nn

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.data.texts import Text, clean_text, given_text, text_item
from pouf_core.engines.frozen import FrozenNetwork
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.cosine_model import CosineModel
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.cosine.trained_parameters import ADDED
from pouf_core.families.text_views import TextViews
from pouf_core.families.tokenizer_hash import tokenizer_hash
from pouf_core.families.trained_tensors import weights_hash
from pouf_core.scoring import single_or_double, unit_length

_TOKENS_OF_A_CALL = 16  # a call costs about as much time as so many tokens of a small encoder


class ResidualProjection(nn.Module):
    """x + D x with D [d, d] zero at first, so that it changes no feature until it is trained.

    Sentence encoders are made without a projection; this is the one that `tune` `head` trains.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.change.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, d] of features [B, d]."""
        changed: Tensor = features + self.change(features)
        return changed


class PooledText(nn.Module):
    """An encoder of texts and its pooling.

    Args:
        transformer: gives `last_hidden_state` [B, L, width].
        pooler: one of open_clip's poolers.
        pad_token_id: of tokens that nothing attends to.
    """

    def __init__(self, transformer: nn.Module, pooler: nn.Module, pad_token_id: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooler = pooler
        self._pad_token_id = pad_token_id

    def forward(self, tokens: Tensor) -> Tensor:
        """Features [B, d] of token ids [B, L]."""
        mask = (tokens != self._pad_token_id).long()
        features: Tensor = self.pooler(self.transformer(input_ids=tokens, attention_mask=mask), mask)
        return features


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
        self.proj = ResidualProjection(transformer.config.hidden_size)
        self.output_tokens = False

    def without_projection(self) -> PooledText:
        """What comes before the projection, with the same parameters."""
        return PooledText(self.transformer, self.pooler, self.config.pad_token_id)


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
        self.lower_case = lower_case

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
        """Token ids [K, L], cut and padded to the context length (the longest by default)."""
        return self._ids(texts, "max_length", context_length or self.longest)

    @cached_property
    def key(self) -> str:
        """Equal keys mean that equal texts get equal token ids."""
        return f"{tokenizer_hash(self.tokenizer)} {self.longest} {self.lower_case}"

    def together(self, texts: Sequence[str]) -> Tensor:
        """Token ids [B, L], padded to the longest of these texts."""
        return self._ids(texts, "longest", self.longest)

    def _ids(self, texts: Sequence[str], padding: str, length: int) -> Tensor:
        stripped = [text.strip() for text in texts]
        lowered = [text.lower() for text in stripped] if self.lower_case else stripped
        encoded = self.tokenizer(lowered, padding=padding, truncation=True, max_length=length, return_tensors="pt")
        ids: Tensor = encoded["input_ids"]
        return ids


def groups_of_like_length(lengths: Sequence[int]) -> list[list[int]]:
    """Places of texts, in groups that are encoded together: padding would cost more than another call.

    Args:
        lengths: tokens of each text.
    """
    groups: list[list[int]] = []
    padding = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        padding += lengths[groups[-1][0]] - lengths[place] if groups else 0
        if not groups or padding > _TOKENS_OF_A_CALL:
            groups.append([])
            padding = 0
        groups[-1].append(place)
    return groups


class SentenceModel(CosineModel[str, Text]):
    """A sentence encoder as a base model: classes are prompts, embedded as the items are.

    Args:
        description: name, modality and tune modes.
        network: the tower and the scale.
        tokenizer: its tokenizer.
        device: where the network lives.

    Attributes:
        sentence_tokenizer: the tokenizer of items; prompts have the same behind `tokenizer`.
    """

    item_tower = "text"
    projection = "text.proj."
    view_kind = "words"
    has_separate_projection = True

    def __init__(
        self,
        description: BaseModelDescription,
        network: SentenceNetwork,
        tokenizer: SentenceTokenizer,
        device: torch.device,
    ) -> None:
        super().__init__(description, network, TextTokenizer(tokenizer), device)
        self.sentence_tokenizer = tokenizer

    def views(self, kind: str, seed: int) -> TextViews:
        """Versions of texts: as they are, or with words left out."""
        return TextViews(kind, seed)

    def encode_items(self, views: Sequence[Text]) -> Tensor:
        """Unit-length float32 features [B, d] of B texts."""
        return self.project(self.encode_trunk(views))

    def encode_trunk(self, views: Sequence[Text]) -> Tensor:
        """Features [B, d] of B texts before the projection."""
        if torch.is_grad_enabled():
            return single_or_double(self.frozen(self._tokens(views), self.precision))
        tokens = self._tokens(views)
        lengths = (tokens != self.network.text.config.pad_token_id).sum(dim=1)  # type: ignore[union-attr]
        groups = [torch.tensor(group) for group in groups_of_like_length(lengths.tolist())]
        parts = [self.frozen(tokens[group, : int(lengths[group].max())], self.precision) for group in groups]
        features = torch.empty(len(tokens), parts[0].shape[1], dtype=parts[0].dtype, device=parts[0].device)
        for group, part in zip(groups, parts, strict=True):
            features[group] = part
        return single_or_double(features)

    @property
    def reading_key(self) -> str:
        """The tokenizer."""
        return self.sentence_tokenizer.key

    def _frozen_network(self) -> FrozenNetwork:
        tower: Any = self.network.text
        return FrozenNetwork(
            tower.without_projection(),
            lambda: self._tokens(["a text", "some other text"]),
            (-1, -1),
            lambda: f"{weights_hash(tower.transformer.state_dict())} {tower.config.to_json_string()}",
            f"the sentence encoder {self.description.name}",
        )

    def _tokens(self, views: Sequence[Text]) -> Tensor:
        return self.sentence_tokenizer.together([text_item(view).text for view in views]).to(
            self.device, non_blocking=True
        )

    def project(self, trunk_features: Tensor) -> Tensor:
        """Unit-length features [B, d] from the trunk's [B, d]."""
        with self._precision():
            features = self.network.text.proj(trunk_features)  # type: ignore[operator, union-attr]
        return unit_length(features)

    @cached_property
    def sha256(self) -> str:
        """Hash of the pretrained weights, to which the projection does not belong."""
        tensors = self.network.state_dict()
        return weights_hash({name: tensor for name, tensor in tensors.items() if not name.startswith(ADDED)})

    def decode(self, source: Any) -> str:
        """A text as it is encoded.

        Raises:
            InvalidInput: `wrong_modality`, `text_pair_not_supported`, `empty_text`, `text_too_long`.
        """
        item = given_text(source, self.description.name)
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

    def _around(self, network: nn.Module) -> Self:
        assert isinstance(network, SentenceNetwork)
        return type(self)(self.description, network, self.sentence_tokenizer, self.device)
