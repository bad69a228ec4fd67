"""Label words as tokens: each must be one token where the template puts it."""

from __future__ import annotations

from collections.abc import Sequence

from pouf_core.contract.classes import ClassName
from pouf_core.contract.label_words import word_pointer
from pouf_core.contract.language_template import MASK, Template
from pouf_core.errors import InvalidInput
from pouf_core.families.family import Tokenizer
from pouf_core.families.language.filled_template import Token, fill_template, tokenize

_PROBE = "a"  # stands for any text


def probe_tokens(tokenizer: Tokenizer, template: Template, word: str) -> list[Token]:
    """The tokens of a template around a word, with a short text in every field."""
    texts = dict.fromkeys(template.text_fields, _PROBE)
    return tokenize(tokenizer, fill_template(template, texts, word))


def label_word_ids(
    tokenizer: Tokenizer, template: Template, words: Sequence[Sequence[str]], classes: Sequence[ClassName]
) -> list[list[int]]:
    """The token of every label word, class by class.

    Args:
        tokenizer: a Hugging Face tokenizer that gives offsets.
        template: where the words stand, which decides about the space before them.
        words: the label words of K classes.
        classes: the K classes, for the errors.

    Raises:
        InvalidInput: `label_word_not_in_vocabulary` with the tokens a word splits into, or `duplicate_label_word`
            where two words are one token, as "Yes" and "yes" are to an uncased model.
    """
    owners: dict[int, tuple[str, str]] = {}
    ids: list[list[int]] = []
    for item, own in zip(classes, words, strict=True):
        ids.append([])
        for index, word in enumerate(own):
            field = word_pointer(item.name, index)
            number = _word_id(tokenizer, template, word, item.name, field)
            if number in owners:
                other, other_class = owners[number]
                raise InvalidInput(
                    "duplicate_label_word",
                    f"Label word {word!r} of class {item.name!r} is the same token as {other!r} of class "
                    f"{other_class!r}.",
                    field=field,
                )
            owners[number] = (word, item.name)
            ids[-1].append(number)
    return ids


def _word_id(tokenizer: Tokenizer, template: Template, word: str, class_name: str, field: str) -> int:
    found = [token for token in probe_tokens(tokenizer, template, word) if token.part == MASK]
    pieces = tokenizer.convert_ids_to_tokens([token.id for token in found])
    if len(found) == 1 and found[0].id != tokenizer.unk_token_id and found[0].text.strip() == word:
        return found[0].id
    if not found:
        raise InvalidInput(
            "template_not_separable",
            f"Label word {word!r} runs into the text around {{mask}}; put a space before it.",
            field="/prompt_template",
        )
    raise InvalidInput(
        "label_word_not_in_vocabulary",
        f"Label word {word!r} of class {class_name!r} is not one word of this model's vocabulary: it splits into "
        f"{', '.join(map(repr, pieces))}. Choose another word.",
        field=field,
    )
