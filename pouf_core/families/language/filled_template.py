"""A filled template as text and as tokens that know which part of the template they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pouf_core.contract.language_template import MASK, Slot, Template
from pouf_core.families.family import Tokenizer

LITERAL = "literal"
SPECIAL = "special"


@dataclass(frozen=True)
class FilledTemplate:
    """A filled template.

    Attributes:
        text: the text, with a word where the mask is.
        spans: first and last-plus-one character of every slot, by its name.
    """

    text: str
    spans: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Token:
    """One token of a filled template.

    Attributes:
        id: its number in the vocabulary.
        part: the slot it comes from, `literal` (it touches the template's own text) or `special`.
        text: the characters it stands for.
    """

    id: int
    part: str
    text: str


def fill_template(template: Template, texts: Mapping[str, str], word: str) -> FilledTemplate:
    """Fill a template, with a word in the mask's place.

    One space stands before a word that opens the sentence, as the public code has it: a label word is written as it
    is inside a sentence, which for byte-level and sentence pieces is another token than at its start.
    """
    filled = {**texts, MASK: word}
    written = ""
    spans = {}
    for part in template.parts:
        if isinstance(part, str):
            written += part
            continue
        if part == Slot(MASK):
            written = re.sub(" +$", " ", written) or " "
        spans[part.name] = (len(written), len(written) + len(filled[part.name]))
        written += filled[part.name]
    return FilledTemplate(written, spans)


def tokenize(tokenizer: Tokenizer, filled: FilledTemplate) -> list[Token]:
    """The tokens of a filled template, special tokens at its ends included.

    Text that spells a special token, such as "[MASK]" or the HTML tag "<s>", is read as the ordinary text it is;
    sentence pieces that know it only whole give the unknown token.

    Args:
        tokenizer: a Hugging Face tokenizer that gives offsets.
        filled: the filled template.
    """
    found = tokenizer(
        filled.text,
        split_special_tokens=True,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        return_attention_mask=False,
        truncation=False,
        verbose=False,
    )
    rows = zip(found["input_ids"], found["offset_mapping"], found["special_tokens_mask"], strict=True)
    reserved, unknown = set(tokenizer.all_special_ids), tokenizer.unk_token_id
    tokens = []
    for number, (start, end), special in rows:
        part = SPECIAL if special else _part(filled, start, end)
        if unknown is not None and number in reserved and not special:  # text that spells a special token
            number = unknown
        tokens.append(Token(number, part, filled.text[start:end]))
    return _spaces_of_the_word(tokens)


def _part(filled: FilledTemplate, start: int, end: int) -> str:
    """The slot that holds all of a token's characters but spaces, or the template's own text."""
    while start < end and filled.text[start].isspace():
        start += 1
    for name, (first, last) in filled.spans.items():
        if start < end and first <= start and end <= last:
            return name
    return LITERAL


def _spaces_of_the_word(tokens: Sequence[Token]) -> list[Token]:
    """Count a lone space before the mask's word as part of it: the word is then no single token."""
    owned = list(tokens)
    for index, following in enumerate(tokens[1:]):
        if following.part == MASK and tokens[index].part == LITERAL and tokens[index].text in ("", " "):
            owned[index] = Token(tokens[index].id, MASK, tokens[index].text)
    return owned
