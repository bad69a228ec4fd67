"""From f and the label words to the three matrices that the objective consumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.language.heads import OutputHead

PLAN_SCALE = 10.0


@dataclass(frozen=True)
class LabelWords:
    """The label words of K classes as tokens, at most W a class.

    Attributes:
        ids: [K, W] token ids; any id where `present` is False.
        present: [K, W] which of them are words.
    """

    ids: Tensor
    present: Tensor

    @classmethod
    def of(cls, word_ids: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> LabelWords:
        """Label words of each class, see `Encoder.word_ids`."""
        widest = max(map(len, word_ids))
        ids = [[*row, *[row[0]] * (widest - len(row))] for row in word_ids]
        present = [[index < len(row) for index in range(widest)] for row in word_ids]
        return cls(torch.tensor(ids, device=device), torch.tensor(present, device=device))


@dataclass(frozen=True)
class Scores:
    """The three [B, K] matrices of `pouf_core.objective`.

    Attributes:
        similarity: cosine(f, w_k), in [-1, 1].
        plan_logits: 10 x similarity.
        class_logits: the head's logits of the label words, with bias, not normalised.
    """

    similarity: Tensor
    plan_logits: Tensor
    class_logits: Tensor


def prototypes(head: OutputHead, words: LabelWords) -> Tensor:
    """w_k [K, d] of unit length: the mean of the unit-length rows of a class's label words.

    Rows of unit length, so that a word counts by its direction and none outweighs the others by its norm. With one
    word a class it is that word's row, as in the paper.
    """
    rows = normalize(_single_or_double(head.rows[words.ids]), dim=-1)
    return normalize((rows * words.present.unsqueeze(-1)).sum(dim=1), dim=-1)


def label_word_logits(features: Tensor, head: OutputHead, words: LabelWords) -> Tensor:
    """Class logits [B, K] of features f [B, d]: log-mean-exp of the logits of a class's label words, with bias.

    So a class's probability among the classes goes with the mean probability of its words: an unlikely synonym costs
    little, and a class gains nothing by having more words. With one word it is that word's logit.
    """
    rows = _single_or_double(head.rows[words.ids])
    logits = torch.einsum("bd,kwd->bkw", _single_or_double(features), rows)
    if head.bias is not None:
        logits = logits + head.bias[words.ids].to(logits.dtype)
    logits = logits.masked_fill(~words.present, float("-inf"))
    return logits.logsumexp(dim=2) - words.present.sum(dim=1).to(logits.dtype).log()


def score(features: Tensor, head: OutputHead, words: LabelWords, word_bias: Tensor | None = None) -> Scores:
    """The three matrices of a batch, never in less than float32.

    Args:
        features: f [B, d].
        head: the model's head.
        words: the label words of K classes.
        word_bias: [K] what the label words lean to by themselves, taken off the class logits; None keeps it.
    """
    with torch.autocast(features.device.type, enabled=False):
        similarity = normalize(_single_or_double(features), dim=-1) @ prototypes(head, words).T
        class_logits = label_word_logits(features, head, words)
    if word_bias is not None:
        class_logits = class_logits - word_bias.to(class_logits.dtype)
    return Scores(similarity, PLAN_SCALE * similarity, class_logits)


def _single_or_double(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
