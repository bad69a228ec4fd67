"""What an adaptation did, what speaks against it, and the verdicts on it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from pouf_core.validation.change import (
    FLIP_RATE_LIMIT,
    MARGINAL_SHIFT_LIMIT,
    OVERRULED_LIMIT,
    Change,
    objections,
    read_change,
)
from pouf_core.validation.judgement import Judgement, judge, judge_baseline, judge_kept_zero_shot
from pouf_core.validation.limits import PICTURES, TEXTS
from pouf_core.validation.structure import Structure

NAMES = ["cat", "dog", "fox", "hen"]
CLEAR = Structure(0.3, 0.27, 0.9, 100, 4)
WEAK = Structure(0.3, 0.1, 0.33, 100, 4)
SURE = Structure(0.5, 0.45, 0.9, 100, 4)
SMALL = replace(CLEAR, item_count=15)
QUIET = Change(10, flip_rate=0.1, overruled_confidence=0.05, marginal_shift=0.1, confidence_gain=0.1, vanished=[])
STILL = Change(0, 0.0, 0.0, 0.0, 0.0, [])
HARMFUL_CHANGES = {
    "overrules_confident_predictions": replace(QUIET, overruled_confidence=0.3),
    "many_flips": replace(QUIET, flip_rate=0.6),
    "marginal_shift": replace(QUIET, marginal_shift=0.8),
    "classes_vanished": replace(QUIET, vanished=[0, 3]),
}


def codes(judgement: Judgement) -> list[str]:
    assert all(reason["message"] for reason in judgement.reasons)
    return [reason["code"] for reason in judgement.reasons]


def test_a_change_is_read_item_by_item() -> None:
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(2, 50, 4, generator=generator).softmax(dim=2)
    adapted = (3 * torch.randn(50, 4, generator=generator)).softmax(dim=1)
    change = read_change(views, adapted)
    lost, flips = [], 0
    for item in range(50):
        old, new = int(views[0, item].argmax()), int(adapted[item].argmax())
        if old != new:
            flips += 1
            belief = [float(views[0, item, k] + views[1, item, k]) / 2 for k in range(4)]
            lost.append(belief[old] - belief[new])
    before = [float(views[0, :, k].mean()) for k in range(4)]
    after = [float(adapted[:, k].mean()) for k in range(4)]
    assert 0 < flips < 50
    assert (change.changed_count, change.flip_rate) == (flips, pytest.approx(flips / 50))
    assert change.overruled_confidence == pytest.approx(sum(lost) / flips, abs=1e-5)
    divergence = sum(q * math.log(q / p) for p, q in zip(before, after, strict=True))
    assert change.marginal_shift == pytest.approx(divergence, abs=1e-4)
    gain = sum(float(adapted[i].max() - views[0, i].max()) for i in range(50)) / 50
    assert change.confidence_gain == pytest.approx(gain, abs=1e-5)


def test_overruling_an_uncertain_second_view_costs_less() -> None:
    sure, unsure = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.3, 0.7]])
    adapted = torch.tensor([[0.2, 0.8]])
    assert read_change(torch.stack([sure, sure]), adapted).overruled_confidence == pytest.approx(0.8)
    assert read_change(torch.stack([sure, unsure]), adapted).overruled_confidence == pytest.approx(0.2)


def test_nothing_changes_where_predictions_stay() -> None:
    views = torch.tensor([[0.6, 0.4], [0.1, 0.9]]).expand(2, 2, 2)
    assert read_change(views, views[0]) == STILL


def shares(*values: float) -> torch.Tensor:
    return torch.tensor([values]).expand(20, -1)


@pytest.mark.parametrize(
    ("before", "after", "vanished"),
    [
        (shares(0.4, 0.4, 0.2), shares(0.5, 0.481, 0.019), [2]),
        (shares(0.4, 0.4, 0.2), shares(0.5, 0.479, 0.021), []),  # a tenth of its share is left
        (shares(0.45, 0.39, 0.16), shares(0.5, 0.499, 0.001), []),  # below half of 1/K: nobody would notice
        (shares(0.4, 0.43, 0.17), shares(0.5, 0.499, 0.001), [2]),
        (shares(0.3, 0.3, 0.4), shares(0.0, 0.0, 1.0), [0, 1]),
        (shares(0.5, 0.5), shares(1.0, 0.0), [1]),
    ],
)
def test_classes_vanish_when_less_than_a_tenth_of_a_noticeable_share_is_left(
    before: torch.Tensor, after: torch.Tensor, vanished: list[int]
) -> None:
    assert read_change(torch.stack([before, before]), after).vanished == vanished


@pytest.mark.parametrize("items", [1, 7])
@pytest.mark.parametrize("before", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("after", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
def test_figures_are_finite_for_saturated_probabilities(
    items: int, before: tuple[float, float], after: tuple[float, float]
) -> None:
    old, new = torch.tensor([before]).expand(items, 2), torch.tensor([after]).expand(items, 2)
    change = read_change(torch.stack([old, old]), new)
    figures = (change.flip_rate, change.overruled_confidence, change.marginal_shift, change.confidence_gain)
    assert all(math.isfinite(figure) for figure in figures)
    assert -1 <= change.overruled_confidence <= 1


@pytest.mark.parametrize("code", HARMFUL_CHANGES)
def test_each_objection_has_its_code(code: str) -> None:
    [found] = objections(HARMFUL_CHANGES[code], NAMES)
    assert found["code"] == code


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (replace(QUIET, overruled_confidence=OVERRULED_LIMIT), ["overrules_confident_predictions"]),
        (replace(QUIET, overruled_confidence=OVERRULED_LIMIT - 1e-9), []),
        (replace(QUIET, overruled_confidence=0.9, changed_count=7), []),  # too few to say something
        (replace(QUIET, flip_rate=FLIP_RATE_LIMIT), []),
        (replace(QUIET, flip_rate=FLIP_RATE_LIMIT + 1e-9), ["many_flips"]),
        (replace(QUIET, marginal_shift=MARGINAL_SHIFT_LIMIT), []),
        (replace(QUIET, marginal_shift=MARGINAL_SHIFT_LIMIT + 1e-9), ["marginal_shift"]),
        (replace(QUIET, vanished=[1]), []),
        (replace(QUIET, vanished=[1, 2]), ["classes_vanished"]),
    ],
)
def test_objections_begin_at_their_limits(change: Change, expected: list[str]) -> None:
    assert [found["code"] for found in objections(change, NAMES)] == expected


@pytest.mark.parametrize(("class_count", "vanished", "objected"), [(2, 1, True), (3, 1, False), (3, 2, True)])
def test_a_third_of_the_classes_may_vanish(class_count: int, vanished: int, objected: bool) -> None:
    change = replace(QUIET, vanished=list(range(vanished)))
    assert bool(objections(change, NAMES[:class_count])) is objected


def test_vanished_classes_are_named() -> None:
    [found] = objections(replace(QUIET, vanished=[0, 3]), NAMES)
    assert "cat, hen" in found["message"]


def test_everything_that_speaks_against_a_change_is_said() -> None:
    change = Change(90, 0.9, 0.5, 2.0, 0.5, [0, 1, 2])
    assert [found["code"] for found in objections(change, NAMES)] == list(HARMFUL_CHANGES)


def test_a_quiet_change_of_clear_data_improves() -> None:
    judgement = judge(CLEAR, QUIET, NAMES, "head")
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("improved", None, ["clear_structure"])


@pytest.mark.parametrize("code", HARMFUL_CHANGES)
@pytest.mark.parametrize("structure", [CLEAR, SMALL])
def test_an_objection_makes_it_harmful_and_serves_zero_shot(code: str, structure: Structure) -> None:
    judgement = judge(structure, HARMFUL_CHANGES[code], NAMES, "head")
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("harmful", "zero_shot", [code])


def test_training_on_weak_structure_is_harmful_and_that_comes_first() -> None:
    judgement = judge(WEAK, QUIET, NAMES, "head")
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("harmful", "zero_shot", ["weak_structure"])
    assert codes(judge(WEAK, HARMFUL_CHANGES["many_flips"], NAMES, "head")) == ["weak_structure", "many_flips"]


def test_the_structure_limit_decides_between_improved_and_harmful() -> None:
    at, below = (replace(CLEAR, ratio=ratio) for ratio in (PICTURES.structure, PICTURES.structure - 1e-6))
    assert judge(at, QUIET, NAMES, "head").verdict == "improved"
    assert judge(below, QUIET, NAMES, "head").verdict == "harmful"


def test_prompts_are_doubted_where_the_base_model_is_sure_and_other_modes_are_not() -> None:
    judgement = judge(SURE, QUIET, NAMES, "prompt")
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("harmful", "zero_shot", ["little_room"])
    assert judge(replace(SURE, view_agreement=PICTURES.room - 1e-6), QUIET, NAMES, "prompt").verdict == "improved"
    for tune in ("head", "last_n", "norm", "model"):
        assert judge(SURE, QUIET, NAMES, tune).verdict == "improved"


def test_without_steps_nothing_is_said_against_them() -> None:
    assert codes(judge_kept_zero_shot(CLEAR, STILL, "prompt", steps=0)) == ["no_steps"]


def test_shares_are_measured_against_a_prior_that_the_caller_gave() -> None:
    views, adapted = shares(0.5, 0.5).expand(2, 20, 2), shares(0.9, 0.1)
    assert read_change(views, adapted).marginal_shift > 0.3
    assert read_change(views, adapted, [0.9, 0.1]).marginal_shift == pytest.approx(0, abs=1e-5)
    assert read_change(views, shares(1.0, 0.0), [0.9, 0.1]).vanished == []  # a tenth is below half of 1/K
    assert read_change(views, shares(1.0, 0.0), [0.6, 0.4]).vanished == [1]


@pytest.mark.parametrize("code", HARMFUL_CHANGES)
def test_a_given_prior_is_not_objected_to(code: str) -> None:
    assert judge_baseline(CLEAR, HARMFUL_CHANGES[code], NAMES, prior_source="given").verdict == "uncertain"


def test_few_items_leave_it_uncertain() -> None:
    judgement = judge(SMALL, QUIET, NAMES, "head")
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("uncertain", None, ["too_few_items"])
    assert judge(replace(SMALL, item_count=16), QUIET, NAMES, "head").verdict == "improved"


@pytest.mark.parametrize("structure", [CLEAR, WEAK, SMALL])
def test_a_model_that_changes_no_class_is_uncertain_whatever_the_data(structure: Structure) -> None:
    judgement = judge(structure, STILL, NAMES, "head")
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("uncertain", None, ["nothing_changed"])


@pytest.mark.parametrize(
    ("structure", "code"), [(CLEAR, "no_step_trusted"), (WEAK, "weak_structure"), (SURE, "little_room")]
)
def test_a_kept_base_model_is_uncertain_and_says_why(structure: Structure, code: str) -> None:
    judgement = judge_kept_zero_shot(structure, STILL, "prompt", steps=4)
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("uncertain", None, [code])


@pytest.mark.parametrize("structure", [CLEAR, WEAK, SMALL])
@pytest.mark.parametrize("change", [STILL, QUIET])
def test_a_baseline_never_improves(structure: Structure, change: Change) -> None:
    judgement = judge_baseline(structure, change, NAMES, prior_source="uniform")
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("uncertain", None, ["not_trained"])


@pytest.mark.parametrize("code", HARMFUL_CHANGES)
def test_a_baseline_may_do_harm(code: str) -> None:
    judgement = judge_baseline(CLEAR, HARMFUL_CHANGES[code], NAMES, prior_source="uniform")
    assert (judgement.verdict, judgement.fallback, codes(judgement)) == ("harmful", "zero_shot", [code])


def test_matching_an_estimated_prior_is_not_trusted_unless_it_changes_nothing() -> None:
    judgement = judge_baseline(CLEAR, QUIET, NAMES, prior_source="estimated")
    assert (judgement.verdict, judgement.fallback) == ("harmful", "zero_shot")
    assert codes(judgement) == ["prior_only_estimated"]
    assert codes(judge_baseline(CLEAR, STILL, NAMES, prior_source="estimated")) == ["not_trained"]


def test_a_judgement_lists_every_figure_it_rests_on() -> None:
    figures = judge(CLEAR, replace(QUIET, vanished=[2]), NAMES, "head").figures()
    assert figures["ratio"] == CLEAR.ratio
    assert figures["vanished"] == [2]
    assert set(figures) == (set(vars(CLEAR)) | set(vars(QUIET))) - {"limits"}


def test_one_sidedness_is_the_share_of_changes_that_nothing_makes_up_for() -> None:
    before = torch.tensor([[0.6, 0.4]] * 6 + [[0.4, 0.6]] * 4)
    there = before.clone()
    there[:3] = torch.tensor([0.4, 0.6])
    both = there.clone()
    both[6:8] = torch.tensor([0.6, 0.4])
    views = torch.stack([before, before])
    assert read_change(views, before).one_sidedness == 0
    assert read_change(views, there).one_sidedness == pytest.approx(1)
    assert read_change(views, both).one_sidedness == pytest.approx(1 / 5)


def test_changes_that_only_shift_shares_are_objected_to_where_limits_say_so() -> None:
    texts, shifted = replace(CLEAR, limits=TEXTS), replace(QUIET, one_sidedness=0.7)
    assert codes(judge(texts, shifted, NAMES, "prompt")) == ["one_sided_changes"]
    assert judge(texts, replace(shifted, one_sidedness=0.5), NAMES, "prompt").verdict == "improved"
    assert judge(CLEAR, shifted, NAMES, "prompt").verdict == "improved"
    assert not objections(replace(shifted, changed_count=7), NAMES, TEXTS)
