"""Whether the groups that the data forms are its classes, told by zero-shot predictions before anything is trained.

Adaptation sharpens the groups, so it helps where items that lie close together are of one class. Where zero-shot
predictions agree between neighbours nearly as well as between two views of one item, the groups are classes; where they
agree much less, groups and classes have little to do with each other, and sharpening them is a coin toss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pouf_core.contract.findings import Finding, finding
from pouf_core.validation.limits import PICTURES, Limits
from pouf_core.validation.neighbours import neighbour_mean

ITEMS_PER_CLASS = 4
_LEAST_AGREEMENT = 0.02  # between views, above chance


@dataclass(frozen=True)
class Structure:
    """What the data says about itself before anything is trained.

    Attributes:
        view_agreement: agreement of zero-shot probabilities between two views of an item, above the chance that two
            items drawn at random agree; at most 1.
        neighbour_agreement: the same between an item and its nearest neighbours.
        ratio: neighbour over view agreement: near 1 where items that lie close together are of one class; 0 where
            views agree no better than chance, which leaves nothing to measure neighbours by.
        item_count, class_count: n and K.
        limits: what this is measured by.
    """

    view_agreement: float
    neighbour_agreement: float
    ratio: float
    item_count: int
    class_count: int
    limits: Limits = PICTURES

    @property
    def enough_items(self) -> bool:
        """Whether there are items enough for neighbours to mean anything."""
        return self.item_count >= ITEMS_PER_CLASS * self.class_count

    def is_clear(self, tune: str) -> bool:
        """Whether the data's groups are its classes, as far as a tune mode needs them to be."""
        return self.ratio >= self.limits.least_structure(tune)

    @property
    def leaves_room(self) -> bool:
        """Whether the base model is unsure enough for learned prompts to gain more than they lose."""
        return self.limits.room is None or self.view_agreement < self.limits.room


def read_structure(
    zero_shot_views: Tensor, features: Tensor, item_count: int | None = None, limits: Limits = PICTURES
) -> Structure:
    """Compare zero-shot predictions between views of an item and between neighbours.

    Args:
        zero_shot_views: [2, n, K] zero-shot probabilities of the items as they are, and of another view of them.
        features: [n, d] unit-length zero-shot features of the items as they are.
        item_count: items in all, where these are a sample of them.
        limits: what the structure is to be measured by.
    """
    plain, other = zero_shot_views.double()
    chance = plain.mean(dim=0).square().sum()
    room = (1 - chance).clamp(min=1e-6)
    views = ((plain * other).sum(dim=1).mean() - chance) / room
    neighbours = torch.zeros(())
    if len(plain) > 1:
        around = neighbour_mean(features, (plain + other) / 2)
        neighbours = ((plain * around).sum(dim=1).mean() - chance) / room
    return Structure(
        view_agreement=views.item(),
        neighbour_agreement=neighbours.item(),
        ratio=(neighbours / views).item() if views > _LEAST_AGREEMENT else 0.0,
        item_count=item_count or len(plain),
        class_count=plain.shape[1],
        limits=limits,
    )


def doubts(structure: Structure, tune: str) -> list[Finding]:
    """Why data with this structure is not to be trained on, by tune mode; empty where it is."""
    found = []
    if not structure.is_clear(tune):
        found.append(weak_structure(structure, tune))
    elif tune == "prompt" and not structure.leaves_room:
        message = (
            f"The base model is sure of its predictions: agreement between two views of an item is "
            f"{structure.view_agreement:.2f} above chance, {structure.limits.room} or more. Learned prompts then gain "
            "little and may lose; tuning the head is safer."
        )
        found.append(finding("little_room", message))
    return found


def weak_structure(structure: Structure, tune: str) -> Finding:
    """Why data without clear structure is not to be trained on."""
    message = (
        f"Predictions agree between neighbouring items only {max(structure.ratio, 0):.0%} as well as between two views "
        f"of one item ({structure.limits.least_structure(tune):.0%} are needed): items that lie close together are not "
        "of one class, so training has nothing to go by."
    )
    return finding("weak_structure", message)


def too_few_items(structure: Structure) -> Finding:
    """Why few items are too few to tell."""
    message = f"{structure.item_count} items for {structure.class_count} classes; {ITEMS_PER_CLASS} a class are needed."
    return finding("too_few_items", message)
