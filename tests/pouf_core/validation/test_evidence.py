"""The evidence, against its definition on a few items."""

from __future__ import annotations

import pytest
import torch

from pouf_core.closed_forms.target import target_of
from pouf_core.scoring import unit_length
from pouf_core.validation.evidence import Witness
from tests.pouf_core.embeddings import two_cones


def test_the_votes_of_neighbours_are_counted_before_and_after_a_change() -> None:
    data = two_cones(200, 5, 16)
    features, prototypes = (unit_length(torch.from_numpy(part)) for part in (data.features, data.class_features))
    target = target_of(features, prototypes)
    before = (features @ prototypes.T).argmax(dim=1)
    after = before.clone()
    rows = torch.arange(0, 200, 4)
    after[rows] = (before[rows] + 1) % 5
    after[7] = before[7]

    found = Witness(target).evidence(after)

    near = target.neighbours.indices[rows, :5]
    for classes, share in ((after, found.neighbours), (before, found.neighbours_before)):
        new = (classes[near] == after[rows, None]).double().mean()
        old = (classes[near] == before[rows, None]).double().mean()
        assert share == pytest.approx((new - old).item())
    assert (found.items, found.classes, found.changed) == (200, 5, 0.25)
    assert -1 <= found.gaussian_classes <= 1


def test_gaussian_classes_vote_for_what_they_find_more_probable() -> None:
    data = two_cones(300, 4, 16, gap=0.2)
    features, prototypes = (unit_length(torch.from_numpy(part)) for part in (data.features, data.class_features))
    witness = Witness(target_of(features, prototypes))
    everything = witness.evidence(witness._gaussian.classes)
    assert everything.gaussian_classes == 1.0  # each change is to the class that they give
    assert everything.gaussian > 0


def test_no_change_is_no_evidence() -> None:
    data = two_cones(50, 4, 16)
    features, prototypes = (unit_length(torch.from_numpy(part)) for part in (data.features, data.class_features))
    found = Witness(target_of(features, prototypes)).evidence((features @ prototypes.T).argmax(dim=1))
    assert (found.changed, found.neighbours, found.gaussian_classes, found.classes_lost) == (0.0, 0.0, 0.0, 0.0)
