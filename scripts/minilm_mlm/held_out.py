"""How well a masked language model fills in tokens of held-out texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from minilm_mlm.batches import IGNORED, Vocabulary, grouped, masked

_TOP = 10


class Score(NamedTuple):
    """What a model makes of M hidden tokens: mean cross-entropy in nats, and how often it is right."""

    tokens: int
    cross_entropy: float
    accuracy: float
    top_ten: float


def score(network: Any, rows: Sequence[list[int]], vocabulary: Vocabulary, share: float, seed: int) -> Score:
    """Score a BertForMaskedLM on texts, with the same masks for every model.

    Args:
        network: in eval mode.
        rows: token ids.
        vocabulary: what is padding, mask and special.
        share: of the tokens that are hidden.
        seed: of the masks.
    """
    random = torch.Generator().manual_seed(seed)
    losses, ranks = [], []
    for group in grouped(sorted(rows, key=len), 2000):
        batch = masked(group, vocabulary, share, random)
        asked = batch.targets != IGNORED
        with torch.inference_mode():
            hidden = network.bert(input_ids=batch.ids, attention_mask=batch.attention).last_hidden_state[asked]
            logits = network.cls.predictions(hidden).float()
        targets = batch.targets[asked]
        losses.append(functional.cross_entropy(logits, targets, reduction="none"))
        ranks.append((logits > logits.gather(1, targets[:, None])).sum(1))
    loss, rank = torch.cat(losses), torch.cat(ranks)
    return Score(len(loss), float(loss.mean()), float((rank == 0).float().mean()), float((rank < _TOP).float().mean()))
