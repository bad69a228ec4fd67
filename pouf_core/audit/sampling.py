"""Which items people are asked about: a stratified sample in which every item has a known chance.

The first stratum holds items that are likely wrong and differ from each other, half as many again as are to be chosen
for that; the others are ranges of suspicion that divide the rest evenly. In every stratum each item has the same
chance, and what is drawn spreads over classes, clusters and confusions (implicit stratification; Cochran, Sampling
Techniques, 3rd ed., 5 and 8). The estimates use all answers: what is chosen for being suspected has a known chance as
well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pouf_core.audit.frame import Booleans, Frame, Integers, Numbers
from pouf_core.contract.audit import AuditDesign, ClassDomain, Domain, ThresholdDomain
from pouf_core.contract.counts import counted
from pouf_core.errors import InvalidInput

SUSPECTED_SHARE = 0.2
"""Of an audit's items, how many are chosen for being suspected unless the caller says: estimates stay as narrow as
those of as many items drawn plainly (`benchmarks/audits.py`)."""
SUSPECTED_FRAME = 1.5  # suspected items for each that is drawn of them
MOST_STRATA = 4  # beside that of the suspected
LEAST_OF_STRATUM = 8  # items drawn of each
THRESHOLDS = 20


@dataclass(frozen=True)
class Drawn:
    """The n drawn items, in the order in which people see them: any first m of them are a random part.

    Attributes:
        rows: [n] places among the items.
        strata: [n] their strata.
        inclusion: [n] their probability of being drawn.
        design: how.
    """

    rows: Integers
    strata: Integers
    inclusion: Numbers
    design: AuditDesign


def draw(frame: Frame, size: int, suspected: int | None = None, seed: int = 0) -> Drawn:
    """Draw items.

    Args:
        frame: N items.
        size: how many to draw, from 1 to N.
        suspected: how many of them to choose among those that are most likely wrong; a fifth by default. Where all of
            them are, nothing can be estimated.
        seed: the same draws the same items.

    Raises:
        InvalidInput: `audit_size`, `audit_suspected`.
    """
    if not 1 <= size <= len(frame):
        message = (
            f"The dataset has {counted(len(frame), 'item')} to draw from: ask for 1 at least, and no more than that."
        )
        raise InvalidInput("audit_size", message, field="/size")
    chosen = int(size * SUSPECTED_SHARE) if suspected is None else suspected
    if not 0 <= chosen <= size:
        message = f"Of {size} items, 0 to {size} can be chosen among the suspected."
        raise InvalidInput("audit_suspected", message, field="/suspected")
    strata = _strata(frame, size, chosen)
    items = np.array([len(stratum) for stratum in strata])
    counts = _allocation(items, size, chosen)
    random = np.random.default_rng(seed)
    parts = [_spread(frame, stratum, int(n), random) for stratum, n in zip(strata, counts, strict=True)]
    rows = np.concatenate(parts)
    numbers = np.repeat(np.arange(len(strata)), counts)
    order = random.permutation(size)
    rows, numbers = rows[order], numbers[order]
    design = _design(frame, strata, counts, rows, chosen > 0)
    return Drawn(rows, numbers, (counts / items)[numbers], design)


def _strata(frame: Frame, size: int, chosen: int) -> list[Integers]:
    """Items by stratum, none empty; that of the suspected comes first, where any are chosen."""
    suspected = frame.suspected(min(len(frame), int(SUSPECTED_FRAME * chosen)))
    order = frame.by_suspicion()
    count = min(MOST_STRATA, max(1, (size - chosen) // LEAST_OF_STRATUM))
    rest = np.array_split(order[~np.isin(order, suspected)], count)
    return [stratum for stratum in (suspected, *rest) if len(stratum)]


def _allocation(items: Integers, size: int, chosen: int) -> Integers:
    """How many are drawn of each stratum: in proportion to its items, and the chosen of the first on top."""
    counts = np.zeros(len(items), dtype=np.int64)
    counts[0] = min(chosen, items[0])
    while (left := size - int(counts.sum())) > 0:
        room = items - counts
        wanted = left * room / room.sum()
        share = np.minimum(np.floor(wanted).astype(np.int64), room)
        if not share.any():
            share[np.argsort(share - wanted, kind="stable")[:left]] = 1
            share = np.minimum(share, room)
        counts += share
    return counts


def _spread(frame: Frame, stratum: Integers, count: int, random: np.random.Generator) -> Integers:
    """Draw one item at random from each of so many equal parts, so that changed items, classes, clusters and confusions
    have their shares. Where the first part begins is random, so that all items have the same chance."""
    keys = (frame.runner_up[stratum], frame.cluster[stratum], frame.label[stratum], frame.changed[stratum])
    ordered = np.roll(stratum[np.lexsort(keys)], random.integers(len(stratum)))
    ends = np.arange(count + 1) * len(stratum) // max(count, 1)
    return ordered[random.integers(ends[:-1], ends[1:])]


def _design(frame: Frame, strata: list[Integers], counts: Integers, rows: Integers, suspected: bool) -> AuditDesign:
    stratum_of = np.empty(len(frame), dtype=np.int64)
    for number, stratum in enumerate(strata):
        stratum_of[stratum] = number

    def domain(members: Booleans) -> list[int]:
        found: list[int] = np.bincount(stratum_of[members], minlength=len(strata)).tolist()
        return found

    cells = (int(frame.label.max()) + 1) * len(strata)
    of_class = np.bincount(frame.label * len(strata) + stratum_of, minlength=cells).reshape(-1, len(strata))
    return AuditDesign(
        served=frame.served,
        items=[len(stratum) for stratum in strata],
        drawn=counts.tolist(),
        suspected=suspected,
        changed=Domain(items=domain(frame.changed)),
        classes=[
            ClassDomain(class_index=one, items=of_class[one].tolist()) for one in np.unique(frame.label[rows]).tolist()
        ],
        thresholds=[
            ThresholdDomain(threshold=one, items=domain(frame.probability >= one))
            for one in _thresholds(frame.probability)
        ],
    )


def _thresholds(probability: Numbers) -> list[float]:
    """From the one that answers the fewest to 0: halfway between the probabilities of items that it tells apart."""
    values = np.unique(probability)
    shares = len(probability) * np.arange(1, THRESHOLDS + 1) // THRESHOLDS
    lowest = np.sort(probability)[::-1][np.maximum(shares, 1) - 1]
    places = np.unique(np.searchsorted(values, lowest))[::-1]
    return [0.0 if place == 0 else float(values[place - 1] + values[place]) / 2 for place in places.tolist()]
