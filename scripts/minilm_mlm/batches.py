"""Batches of masked texts: texts of like lengths together, each batch with about the same number of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

IGNORED = -100
_SORTED_TOGETHER = 2000


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of the tokens that stand for no word."""

    pad: int
    mask: int
    special: tuple[int, ...]


class Batch(NamedTuple):
    """B masked texts.

    Attributes:
        ids: [B, L] with the mask's number in place of hidden tokens.
        attention: [B, L], 0 at padding.
        targets: [B, L] the hidden tokens, `IGNORED` elsewhere.
    """

    ids: Tensor
    attention: Tensor
    targets: Tensor


def batches(
    rows: Sequence[list[int]], vocabulary: Vocabulary, *, tokens: int, share: float, random: torch.Generator
) -> Iterator[Batch]:
    """Masked batches of all rows, once, in random order.

    Args:
        rows: token ids with special tokens.
        vocabulary: what is padding, mask and special.
        tokens: the most that a batch has, padding included (one row at least).
        share: of the tokens to mask.
        random: where order and masks come from.
    """
    groups: list[list[list[int]]] = []
    order = torch.randperm(len(rows), generator=random).tolist()
    for start in range(0, len(order), _SORTED_TOGETHER):
        groups += grouped(sorted((rows[i] for i in order[start : start + _SORTED_TOGETHER]), key=len), tokens)
    for i in torch.randperm(len(groups), generator=random).tolist():
        yield masked(groups[i], vocabulary, share, random)


def grouped(rows: Sequence[list[int]], tokens: int) -> list[list[list[int]]]:
    """Rows, sorted by length, cut into groups that padding makes at most `tokens` large."""
    groups: list[list[list[int]]] = [[]]
    for row in rows:
        if groups[-1] and (len(groups[-1]) + 1) * len(row) > tokens:
            groups.append([])
        groups[-1].append(row)
    return groups


def masked(rows: Sequence[list[int]], vocabulary: Vocabulary, share: float, random: torch.Generator) -> Batch:
    """Rows as a batch, each with `share` of its ordinary tokens hidden and never less than one."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([row + [vocabulary.pad] * (longest - len(row)) for row in rows])
    ordinary = ~torch.isin(ids, torch.tensor([vocabulary.pad, *vocabulary.special]))
    draws = torch.rand(ids.shape, generator=random).masked_fill(~ordinary, 2.0)
    hidden = draws.argsort(dim=1).argsort(dim=1) < (share * ordinary.sum(1, keepdim=True)).round().clamp(min=1)
    hidden &= ordinary
    targets = ids.masked_fill(~hidden, IGNORED)
    return Batch(ids.masked_fill(hidden, vocabulary.mask), (ids != vocabulary.pad).long(), targets)
