"""The mixture, against its definition item by item."""

from __future__ import annotations

import pytest
import torch

from pouf_core.closed_forms.mixture import MixtureSettings, _Fit, fit_mixture
from pouf_core.closed_forms.presence import presence_bias, relative_agreement, support_bias
from pouf_core.closed_forms.target import Target, target_of
from pouf_core.scoring import unit_length
from tests.pouf_core.embeddings import two_cones

SETTINGS = MixtureSettings(scale=20.0, temper=0.05)


def some_target(count: int = 60, classes: int = 4) -> Target:
    data = two_cones(count, classes, 16, seed=2)
    return target_of(*(unit_length(torch.from_numpy(part)) for part in (data.features, data.class_features)))


def test_the_fitted_mixture_is_the_linear_classifier_of_its_last_means() -> None:
    target = some_target()
    mixture = fit_mixture(target, SETTINGS)
    fit = _Fit(target, SETTINGS, torch.zeros(4))
    while fit.step() >= 2e-3:
        pass
    logits = target.features @ mixture.weights.T + mixture.bias
    centred, classes = target.features - target.features.mean(dim=0), fit._classes
    likelihood = centred @ classes.weights.T - classes.norms / 2
    expected = SETTINGS.scale * target.features @ target.prototypes.T + SETTINGS.temper * likelihood
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-3)


def test_text_that_is_kept_and_pieces_of_it_that_are_recomputed_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = fit_mixture(some_target(), SETTINGS)
    monkeypatch.setattr("pouf_core.closed_forms.target._KEPT_COSINES", 0)
    monkeypatch.setattr("pouf_core.scoring._NUMBERS_AT_ONCE", 40)
    recomputed = fit_mixture(some_target(), SETTINGS)
    torch.testing.assert_close(kept.weights, recomputed.weights)


def test_a_class_without_items_attracts_nothing_and_those_with_items_are_left_alone() -> None:
    data = two_cones(600, 10, 64, seed=3)
    present = data.labels < 6
    features = unit_length(torch.from_numpy(data.features[present]))
    bias = presence_bias(target_of(features, unit_length(torch.from_numpy(data.class_features))))
    assert bias[6:].max() < -3
    assert bias[:6].min() > -0.5


def test_classes_that_are_small_beside_large_ones_are_there_when_their_items_lie_together() -> None:
    data = two_cones(1200, 8, 64, seed=3)
    kept = [torch.from_numpy((data.labels == k).nonzero()[0])[:size] for k, size in enumerate((150, 150) + 6 * (15,))]
    features = unit_length(torch.from_numpy(data.features[torch.cat(kept).numpy()]))
    bias = presence_bias(target_of(features, unit_length(torch.from_numpy(data.class_features))))
    assert bias.min() > -1


def test_a_class_has_support_by_its_share_or_by_its_agreement() -> None:
    scattered, together = torch.zeros(4), torch.tensor([0.0, 0.0, 0.0, 1.0])
    assert support_bias(torch.full((4,), 0.25), scattered).abs().max() < 0.01
    few = torch.tensor([0.33, 0.33, 0.33, 0.01])
    assert support_bias(few, scattered)[3] == -12
    assert support_bias(few, together)[3] > -0.1


def test_agreement_is_relative_to_that_of_all_items_and_0_of_a_class_without_any() -> None:
    target = some_target(60, 4)
    classes = torch.zeros(60, dtype=torch.long)
    assert relative_agreement(classes, target).tolist() == [1, 0, 0, 0]
    classes[0] = 3
    agreement = relative_agreement(classes, target)
    assert agreement[3] == 0
    assert agreement[0] >= 1


def test_of_two_classes_one_has_little_support_with_a_quarter_and_enough_with_two_fifths() -> None:
    together = torch.ones(2)
    assert support_bias(torch.tensor([0.25, 0.75]), together)[0] < -2.5
    assert support_bias(torch.tensor([0.4, 0.6]), together).abs().max() < 0.2
