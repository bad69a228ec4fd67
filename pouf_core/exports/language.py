"""What exports of language models are made of: the network as it was trained, and how an item is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pouf_core.contract.language_template import MASK, Slot, Template
from pouf_core.data.texts import TextItem
from pouf_core.exports.model import ModelToExport
from pouf_core.exports.preprocessing import save_tokenizer
from pouf_core.families.language.at_the_mask import AtTheMask, packed_batch
from pouf_core.families.language.batch import make_batch
from pouf_core.families.language.item_tokenizer import ItemTokenizer
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.trained_tensors import CONTEXT, network_parameters

READING = "template.json"


@dataclass(frozen=True)
class LanguageExport:
    """A language model as it is exported.

    Attributes:
        base: with the weights that were trained.
        template: around the items' texts.
        tokenizer: of items.
        context: [N, width] learned context vectors in place of the template's words, or None.
        learned: the N tokens that stand for them, which follow those of the vocabulary.
    """

    base: LanguageModel
    template: Template
    tokenizer: ItemTokenizer
    context: Tensor | None
    learned: Sequence[int]

    @classmethod
    def of(cls, model: ModelToExport) -> LanguageExport:
        """The network of a variant; its weights are the base model's own where none were trained."""
        base, manifest = model.base, model.manifest
        assert isinstance(base, LanguageModel)
        request = manifest.request.check(base.description)
        wording, template = request.wording, request.wording.language_template
        assert template is not None  # a request over a language model has one
        tokenizer = base.item_tokenizer(
            template, wording.label_words, request.classes, wording.text_limits, longest=manifest.longest
        )
        tuned = base.with_weights(network_parameters(model.trained))
        context, first = model.trained.get(CONTEXT), len(tuned.input_embedding.weight)
        learned = [] if context is None else list(range(first, first + len(context)))
        return cls(tuned, template, tokenizer, context, learned)

    @property
    def features_from(self) -> str | None:
        """The module of the network whose output is the features; None where they are the last hidden states."""
        last = self.base.head.steps[-1:]
        return next((name for name, module in self.base.network.named_modules() if module in last), None)

    def encoder(self) -> nn.Module:
        """From `tokens` to features; context vectors are further tokens of the vocabulary."""
        network = self.base.network
        if self.context is not None:
            own = self.base.input_embedding
            wider = nn.Embedding.from_pretrained(torch.cat([own.weight, self.context]), padding_idx=own.padding_idx)
            network.set_input_embeddings(wider)
        return AtTheMask(network, self.base.head.transform)

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """B items, pairs of a text with itself, as [B, 2 + L]: where the word is asked for, the length, and the ids."""
        items = [TextItem(text, text if self.template.takes_pairs else None) for text in texts]
        read = [self.tokenizer(item, "") for item in items]
        return packed_batch(make_batch(read, kind="masked", pad_id=0))

    def write_reading(self, directory: Path) -> dict[str, Any]:
        """Write `tokenizer.json` and `template.json`, by which an item becomes tokens; returns it in words.

        Raises:
            PoufError: `export_preprocessing_unknown` of a tokenizer that has no such file.
        """
        save_tokenizer(self.base.tokenizer, self.base.description.name, directory)
        own, causal = self.base.tokenizer, self.base.kind == "causal"
        settings = self.tokenizer.settings
        told = {
            "parts": [f"{{{part.name}}}" if isinstance(part, Slot) else part for part in self.template.parts],
            "texts": [f"{{{name}}}" for name in self.template.text_fields],
            "word": settings["word"],
            "longest": self.tokenizer.longest,
            "limits": {f"{{{name}}}": settings[name] for name in self.template.text_fields if name in settings},
            "mask": None if causal else own.mask_token_id,
            "unknown": own.unk_token_id,
            "special": own.all_special_ids,
            "learned": self.learned,
        }
        (directory / READING).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return {
            "kind": "template",
            "causal": causal,
            "pairs": self.template.takes_pairs,
            "learned": bool(self.learned),
            "in_words": _in_words(told, causal),
        }


def _in_words(told: dict[str, Any], causal: bool) -> Sequence[str]:
    filled, word, longest = "".join(told["parts"]), told["word"], told["longest"]
    asked = "stop before it" if causal else f"put the mask, token {told['mask']}, in its place"
    limits = f"; of each no more than {told['limits']}" if told["limits"] else ""
    steps = [
        f"Take the space around each text away, and put it into `{filled}`, with `{word}` where `{{{MASK}}}` is.",
        f"Split all of it with tokenizer.json, special tokens included; find the token of `{word}`, and {asked}.",
        f"Drop tokens beyond {longest} from the end of the longest text{limits}.",
        "Before the tokens of an item put where the word is asked for, and how many tokens there are; fill shorter "
        "items of a batch up at their end.",
    ]
    if told["learned"]:
        steps.insert(2, f"Put the tokens {told['learned']}, which are learned, in the place of the template's words.")
    return steps
