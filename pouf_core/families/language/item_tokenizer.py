"""Items as token ids: the template is kept whole, the texts are cut to fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pouf_core.contract.classes import ClassName
from pouf_core.contract.language_template import MASK, Template, check_text_limits
from pouf_core.data.texts import TextItem
from pouf_core.errors import InvalidInput
from pouf_core.families.context_vectors import NO_CONTEXT
from pouf_core.families.family import Tokenizer
from pouf_core.families.language.filled_template import LITERAL, Token, fill_template, tokenize
from pouf_core.families.language.word_tokens import label_word_ids, probe_tokens

MOST_TOKENS = 512
"""Tokens of an item that are read at most, also by models that could take more."""
Kind = Literal["masked", "causal"]


@dataclass(frozen=True)
class ItemTokens:
    """One item as L tokens.

    Attributes:
        ids: L token ids.
        position: where the model is asked for the label word: at the mask, or at the last token.
        context: for each token the index of the context vector that stands for it, -1 for none.
    """

    ids: tuple[int, ...]
    position: int
    context: tuple[int, ...]


class ItemTokenizer:
    """Turns items into token ids.

    The sentence is tokenised with a label word in the mask's place, and the mask then takes the place of that word's
    one token. So the tokens around the mask are those of an ordinary sentence in every tokenizer family. A causal
    model reads the tokens before the word.

    Args:
        tokenizer: a Hugging Face tokenizer that gives offsets.
        template: the template.
        words: the label words of K classes.
        classes: the K classes.
        kind: `masked` or `causal`.
        longest: tokens that the model takes, special ones included.
        limits: tokens that a text field may have at most, by `text`, `text_a`, `text_b`.

    Attributes:
        word_ids: the label words' tokens, class by class.
        context_ids: tokens of the template's own words, from whose embeddings learned context vectors start.
        longest: as given.
        settings: everything beside the tokenizer that decides about an item's tokens.

    Raises:
        InvalidInput: as `label_word_ids` and `check_text_limits`, and `template_too_long` where no room is left for
            the texts.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: Template,
        words: Sequence[Sequence[str]],
        classes: Sequence[ClassName],
        *,
        kind: Kind = "masked",
        longest: int,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self.word_ids = label_word_ids(tokenizer, template, words, classes)
        self._tokenizer = tokenizer
        self._template = template
        self._kind = kind
        self.longest = longest
        self._limits = limits or {}
        check_text_limits(self._limits, template)
        self._stand_in = min(word for own in words for word in own)  # whatever the order of the classes
        self.settings = {"template": repr(template), "word": self._stand_in, "longest": longest, **self._limits}
        probe = self._read(probe_tokens(tokenizer, template, self._stand_in), "/prompt_template")
        self.context_ids = [token.id for token in probe if _is_template_word(token)]
        fixed = sum(token.part not in template.text_fields for token in probe)
        if longest < fixed + len(template.text_fields):
            raise InvalidInput(
                "template_too_long",
                f"The template takes {fixed} of the {longest} tokens that this model reads; nothing is left for texts.",
                field="/prompt_template",
            )

    def __call__(self, item: TextItem, field: str, *, with_context: bool = False) -> ItemTokens:
        """The tokens of one item.

        Args:
            item: one text or a pair.
            field: JSON pointer of the item, for the errors.
            with_context: whether context vectors are learned in place of the template's words.

        Raises:
            InvalidInput: `text_pair_missing`, `text_pair_not_used`; `mask_not_found` where the text runs into the
                mask; `template_not_separable` where it changes the template's words and these are to be learned.
        """
        filled = fill_template(self._template, self._template.texts(item, field), self._stand_in)
        tokens = self._cut(self._read(tokenize(self._tokenizer, filled), field))
        context = self._context(tokens, field) if with_context else [NO_CONTEXT] * len(tokens)
        masks = [index for index, token in enumerate(tokens) if token.part == MASK]
        position = masks[0] if masks else len(tokens) - 1
        return ItemTokens(tuple(token.id for token in tokens), position, tuple(context))

    def _read(self, tokens: Sequence[Token], field: str) -> list[Token]:
        """What the model reads: the mask in place of the label word, or what stands before the word."""
        places = [index for index, token in enumerate(tokens) if token.part == MASK]
        if len(places) != 1:
            raise InvalidInput("mask_not_found", "The text runs into the mask; put a space before {mask}.", field=field)
        place = places[0]
        if self._kind == "masked":
            assert self._tokenizer.mask_token_id is not None  # else it would not have been loaded
            mask = Token(self._tokenizer.mask_token_id, MASK, tokens[place].text)
            return [*tokens[:place], mask, *tokens[place + 1 :]]
        if not place:
            raise InvalidInput("nothing_before_mask", "A causal model needs text before the mask.", field=field)
        return list(tokens[:place])

    def _cut(self, tokens: Sequence[Token]) -> list[Token]:
        """Drop tokens from the ends of texts: over a field's limit first, then from the longest text."""
        lengths = {name: sum(token.part == name for token in tokens) for name in self._template.text_fields}
        fixed = len(tokens) - sum(lengths.values())
        room = self.longest - fixed
        kept = {name: min(length, self._limits.get(name, room), room) for name, length in lengths.items()}
        while sum(kept.values()) > room:
            kept[max(kept, key=lambda name: kept[name])] -= 1
        whole = []
        for token in tokens:
            if token.part in kept:
                kept[token.part] -= 1
                if kept[token.part] < 0:
                    continue
            whole.append(token)
        return whole

    def _context(self, tokens: Sequence[Token], field: str) -> list[int]:
        words = [token.id for token in tokens if _is_template_word(token)]
        if words != self.context_ids:
            raise InvalidInput(
                "template_not_separable",
                "The text runs into the template's words, which are to be learned; put spaces around the text.",
                field=field,
            )
        numbers = iter(range(len(words)))
        return [next(numbers) if _is_template_word(token) else NO_CONTEXT for token in tokens]


def _is_template_word(token: Token) -> bool:
    return token.part == LITERAL and any(map(str.isalnum, token.text))
