"""Gaussian classes, against their definition item by item."""

from __future__ import annotations

import pytest
import torch

from pouf_core.closed_forms.gaussian_classes import GaussianClasses


@pytest.mark.parametrize("rows_at_once", [7, 1000])
def test_an_item_is_judged_by_means_without_it(rows_at_once: int) -> None:
    random = torch.Generator().manual_seed(0)
    centred = torch.randn(60, 16, generator=random)
    centred -= centred.mean(dim=0)
    posterior, anchors = torch.randn(60, 4, generator=random).softmax(dim=1), torch.randn(4, 16, generator=random)
    classes = GaussianClasses(centred, anchors, 20.0)
    pieces = [slice(start, start + rows_at_once) for start in range(0, 60, rows_at_once)]
    classes.fit((rows, posterior[rows]) for rows in pieces)
    found = torch.cat([classes.likelihood(rows, posterior[rows]) for rows in pieces]).log_softmax(dim=1)
    centred, posterior, precision = centred.double(), posterior.double(), classes.precision.double()
    for item in range(60):
        others = torch.arange(60) != item
        mass = posterior[others].sum(dim=0) + 20
        sums = posterior[others].T @ centred[others] + 20 * anchors.double()
        means = sums / mass[:, None]
        expected = (means * precision) @ centred[item] - (means.square() * precision).sum(dim=1) / 2
        expected = expected.log_softmax(dim=0)  # likelihoods are known up to a term of the item
        torch.testing.assert_close(found[item].double(), expected, rtol=1e-3, atol=1e-3)
