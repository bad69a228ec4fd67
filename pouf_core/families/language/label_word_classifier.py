"""From features and label words to the three matrices that the objective consumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.families.language.heads import OutputHead
from pouf_core.scoring import Scores, single_or_double

PLAN_SCALE = 10.0


@dataclass(frozen=True)
class LabelWordClassifier:
    """Classes scored by the rows of their label words, at most W a class; see `pouf_core.scoring.Classifier`.

    Attributes:
        rows: [K, W, d] rows of the head, never in less than float32; any row where there is no word.
        biases: [K, W] the head's bias of each word.
        present: [K, W] where there is a word.
        word_bias: [K] the contextual calibration bias, subtracted from the class logits.
    """

    rows: Tensor
    biases: Tensor
    present: Tensor
    word_bias: Tensor

    @classmethod
    def of(
        cls, head: OutputHead, word_ids: Sequence[Sequence[int]], word_bias: Tensor | None = None
    ) -> LabelWordClassifier:
        """The classifier of a head as it is now, with gradients where they are enabled.

        Args:
            head: a language model's head.
            word_ids: the label words' tokens, class by class; see `ItemTokenizer.word_ids`.
            word_bias: [K] the contextual calibration bias, or None to subtract nothing.
        """
        widest, device = max(map(len, word_ids)), head.rows.device
        ids = torch.tensor([[*row, *[row[0]] * (widest - len(row))] for row in word_ids])
        present = torch.tensor([[index < len(row) for index in range(widest)] for row in word_ids])
        ids, present = (tensor.to(device, non_blocking=True) for tensor in (ids, present))
        rows = single_or_double(head.rows[ids])
        biases = rows.new_zeros(ids.shape) if head.bias is None else head.bias[ids].to(rows.dtype)
        subtracted = rows.new_zeros(len(word_ids)) if word_bias is None else word_bias.to(rows)
        return cls(rows, biases, present, subtracted)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> LabelWordClassifier:
        """What `tensors` gave."""
        return cls(**{name.removeprefix(_PREFIX): tensors[name] for name in _NAMES})

    @property
    def prototypes(self) -> Tensor:
        """w_k [K, d] of unit length: the mean of the unit-length rows of a class's label words.

        Rows of unit length, so that a word counts by its direction and none outweighs the others by its norm. With
        one word a class it is that word's row, as in the paper.
        """
        return normalize((normalize(self.rows, dim=-1) * self.present.unsqueeze(-1)).sum(dim=1), dim=-1)

    def __call__(self, features: Tensor) -> Scores:
        """Scores of features [B, d]; class logits are those of the head, with its bias, less `word_bias`."""
        with torch.autocast(features.device.type, enabled=False):
            wide = single_or_double(features)
            similarity = normalize(wide, dim=-1) @ self.prototypes.T
            class_logits = self._label_word_logits(wide) - self.word_bias
        return Scores(similarity, PLAN_SCALE * similarity, class_logits)

    def tensors(self) -> dict[str, Tensor]:
        """`label_words_rows`, `label_words_biases`, `label_words_present` and `label_words_word_bias`."""
        return {name: getattr(self, name.removeprefix(_PREFIX)) for name in _NAMES}

    def _label_word_logits(self, features: Tensor) -> Tensor:
        """[B, K]: log-mean-exp of the logits of a class's label words.

        So a class's probability among the classes goes with the mean probability of its words: an unlikely synonym
        costs little, and a class gains nothing by having more words. With one word it is that word's logit.
        """
        logits = torch.einsum("bd,kwd->bkw", features, self.rows) + self.biases
        logits = logits.masked_fill(~self.present, float("-inf"))
        return logits.logsumexp(dim=2) - self.present.sum(dim=1).to(logits.dtype).log()


_PREFIX = "label_words_"
_NAMES = tuple(_PREFIX + name for name in ("rows", "biases", "present", "word_bias"))
