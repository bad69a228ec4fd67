"""Clusters: what is alike is in one, and the same features always give the same."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from pouf_core.predictions.clusters import Clustering


def test_items_around_a_centre_are_one_cluster_also_where_it_was_not_fitted() -> None:
    drawn = torch.Generator().manual_seed(0)
    centres = normalize(torch.randn(4, 16, generator=drawn), dim=1).repeat_interleave(10, dim=0)
    features = centres + 0.01 * torch.randn(40, 16, generator=drawn)
    clustering = Clustering(features)
    found = clustering.of(features).reshape(4, 10)
    assert (found == found[:, :1]).all()
    assert len(set(found[:, 0].tolist())) == 4
    assert clustering.of(5 * centres).tolist() == found.ravel().tolist()
    assert Clustering(features).of(features).tolist() == found.ravel().tolist()


def test_items_that_repeat_are_one_cluster() -> None:
    for features in (torch.ones(50, 8), torch.zeros(50, 8), torch.ones(1, 8)):
        assert len(set(Clustering(features).of(features).tolist())) == 1
