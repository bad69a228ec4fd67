"""What can be told of label words and template by a language model's tokenizer, before the model is loaded."""

from __future__ import annotations

import threading
from functools import lru_cache

from pouf_core.contract.request import CheckedRequest
from pouf_core.errors import PoufError
from pouf_core.families.family import Tokenizer
from pouf_core.families.language.item_tokenizer import MOST_TOKENS, ItemTokenizer, Kind
from pouf_core.families.registry import family_of

_TOKENIZERS = 8  # kept at once, the least recently used goes
_in_use = threading.Lock()
"""Held while a tokenizer is read or used: one call changes its state for the next."""


def check_vocabulary(request: CheckedRequest) -> bool:
    """Refuse what the model's own `ItemTokenizer` would refuse when the model is loaded.

    Args:
        request: checked; one over another base model than a language model has nothing to refuse.

    Returns:
        False where nothing could be told, since the tokenizer cannot be read on this machine.

    Raises:
        InvalidInput: as `ItemTokenizer`, above all `label_word_not_in_vocabulary` with the tokens that a word splits
            into; or `base_model_not_adaptable` for a tokenizer that does not tell what is needed.
    """
    wording = request.wording
    if wording.language_template is None:
        return True
    with _in_use:
        try:
            tokenizer = _tokenizer_of(request.base.name)
        except PoufError as error:
            if error.code != "base_model_unavailable":
                raise
            return False
        longest = min(int(tokenizer.model_max_length), MOST_TOKENS)
        kind: Kind = "masked" if request.base.reads_after_mask else "causal"
        ItemTokenizer(
            tokenizer,
            wording.language_template,
            wording.label_words,
            request.classes,
            kind=kind,
            longest=longest,
            limits=wording.text_limits,
        )
    return True


@lru_cache(_TOKENIZERS)
def _tokenizer_of(name: str) -> Tokenizer:
    load = family_of(name).load_tokenizer
    if load is None:
        raise ValueError(f"{name} takes no label words.")
    return load(name)  # brings transformers, which takes seconds
