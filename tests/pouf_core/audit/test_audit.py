"""Audits: what is drawn, with which chance, and what answers say of all items."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from pouf_core.audit.comparison import compare_by_answers
from pouf_core.audit.estimation import NONE_OF_THESE, Answered, estimate
from pouf_core.audit.frame import Frame
from pouf_core.audit.intervals import posterior
from pouf_core.audit.sampling import Drawn, draw
from pouf_core.contract.audit import AuditEstimate
from pouf_core.errors import InvalidInput

ITEMS, CLASSES = 1500, 5


class Population:
    """Items whose adapted class is right as often as its probability says, and more often than zero-shot's."""

    def __init__(self, seed: int = 0, sure: float = 4.0) -> None:
        random = np.random.default_rng(seed)
        self.labels = random.integers(0, CLASSES, ITEMS)
        probability = 0.2 + 0.8 * random.beta(sure, 1, ITEMS)
        adapted = np.where(random.random(ITEMS) < probability, self.labels, (self.labels + 1) % CLASSES)
        zero_shot = np.where(random.random(ITEMS) < 0.2, (adapted + 1) % CLASSES, adapted)
        runner_up = (adapted + 1) % CLASSES
        cluster = random.integers(0, 3, ITEMS)
        self.frame = Frame(adapted, zero_shot, "adapted", probability, runner_up, (1 - probability) / 2, cluster)

    def answered(self, drawn: Drawn, first: int | None = None) -> Answered:
        rows = drawn.rows[:first]
        frame = self.frame
        return Answered(
            drawn.strata[:first], self.labels[rows], frame.adapted[rows], frame.zero_shot[rows], frame.probability[rows]
        )

    def estimate(self, size: int, wished: float = 0.9, seed: int = 0, first: int | None = None) -> AuditEstimate:
        drawn = draw(self.frame, size, seed=seed)
        found = estimate(drawn.design, self.answered(drawn, first), wished)
        assert found is not None
        return found

    @property
    def right(self) -> np.ndarray:
        return np.asarray(self.frame.adapted == self.labels)


@pytest.fixture(scope="module")
def population() -> Population:
    return Population()


@pytest.mark.parametrize(("size", "suspected"), [(1, None), (7, 3), (80, None), (80, 0), (40, 40), (1500, 100)])
def test_as_many_different_items_are_drawn_as_were_asked_for(
    population: Population, size: int, suspected: int | None
) -> None:
    drawn = draw(population.frame, size, suspected, seed=3)
    assert len(set(drawn.rows.tolist())) == size
    assert sum(drawn.design.drawn) == size and sum(drawn.design.items) == ITEMS
    again = draw(population.frame, size, suspected, seed=3)
    assert again.rows.tolist() == drawn.rows.tolist()
    if 1 < size < ITEMS:
        assert draw(population.frame, size, suspected, seed=4).rows.tolist() != drawn.rows.tolist()


def test_the_design_counts_the_items_that_estimates_are_about(population: Population) -> None:
    frame, design = population.frame, draw(population.frame, 80).design
    assert sum(design.changed.items) == frame.changed.sum()
    for each in design.classes:
        assert sum(each.items) == (frame.label == each.class_index).sum()
    shares = [sum(each.items) / ITEMS for each in design.thresholds]
    assert shares == pytest.approx(np.arange(1, 21) / 20, abs=0.002)
    assert [(frame.probability >= each.threshold).mean() for each in design.thresholds] == shares
    assert design.thresholds[-1].threshold == 0


def test_items_are_drawn_as_often_as_their_inclusion_probability_says(population: Population) -> None:
    count = 400
    times, chances = np.zeros(ITEMS), np.zeros(ITEMS)
    for seed in range(count):
        drawn = draw(population.frame, 80, seed=seed)
        times[drawn.rows] += 1
        chances[drawn.rows] = drawn.inclusion
    known = chances > 0
    assert known.mean() > 0.99
    errors = (times[known] / count - chances[known]) / np.sqrt(chances[known] * (1 - chances[known]) / count)
    assert abs(errors.mean()) < 0.3 and errors.std() < 1.2


def test_suspected_items_are_wrong_more_often_and_spread_over_classes(population: Population) -> None:
    drawn = draw(population.frame, 40, 40)
    wrong = ~population.right
    assert wrong[drawn.rows].sum() >= 2 * 40 * wrong.mean()
    assert len(np.unique(population.frame.label[drawn.rows])) == CLASSES
    assert {drawn.design.part_of(stratum) for stratum in drawn.strata.tolist()} == {"suspected"}


def test_suspected_items_are_not_all_of_one_kind_even_where_that_is_most_suspected(population: Population) -> None:
    frame = population.frame
    crowd = np.arange(100)
    unsure = np.where(np.isin(np.arange(ITEMS), crowd), 0.2, np.maximum(frame.probability, 0.25))
    label, cluster = frame.adapted.copy(), frame.cluster.copy()
    label[crowd], cluster[crowd] = 0, 0
    others = {"cluster": cluster, "runner_up_probability": (1 - unsure) / 2}
    crowded = replace(frame, adapted=label, zero_shot=label, probability=unsure, **others)
    assert set(crowded.by_suspicion()[:60].tolist()) <= set(crowd.tolist())
    chosen = crowded.suspected(60)
    assert len(set(chosen.tolist())) == 60
    kinds = {(label[one], cluster[one]) for one in chosen.tolist()}
    assert len(kinds) > 3 * CLASSES / 2
    assert len(set(chosen.tolist()) & set(crowd.tolist())) >= 30  # still the most suspected


def test_nothing_is_estimated_of_items_that_had_no_chance(population: Population) -> None:
    drawn = draw(population.frame, 40, 40)
    assert estimate(drawn.design, population.answered(drawn), 0.9) is None
    some = draw(population.frame, 40)
    assert estimate(some.design, population.answered(some, first=0), 0.9) is None


def test_answers_to_suspected_items_alone_do_not_stand_for_all(population: Population) -> None:
    drawn = draw(population.frame, 80)
    suspected = drawn.strata == 0
    all_answers = population.answered(drawn)
    only = Answered(*(getattr(all_answers, field.name)[suspected] for field in fields(Answered)))
    assert drawn.design.suspected and suspected.any()
    assert estimate(drawn.design, only, 0.9) is None
    assert compare_by_answers(drawn.design, only.strata, only.truth, only.zero_shot, only.adapted) is None
    ones, none = np.ones(3), np.zeros(3, dtype=int)
    assert posterior(ones, none, np.array([10, 0, 5]), first_apart=True) is None
    assert posterior(ones, none, np.array([10, 0, 0]), first_apart=True) is not None  # a group of suspected items alone
    assert posterior(ones, none, np.array([10, 0, 5]), first_apart=False) is not None


@pytest.mark.parametrize("sure", [1.0, 4.0, 40.0])
def test_intervals_hold_the_truth_and_are_no_wider_than_those_of_a_plain_sample(sure: float) -> None:
    population = Population(seed=1, sure=sure)
    truth = population.right.mean()
    gain = truth - (population.frame.zero_shot == population.labels).mean()
    strata, items = np.zeros(80, dtype=int), np.array([ITEMS])
    held, gained, widths, plain = [], [], [], []
    for seed in range(60):
        found = population.estimate(80, seed=seed)
        low, high = found.adapted.interval
        held.append(low <= truth <= high)
        gained.append(found.difference.interval[0] <= gain <= found.difference.interval[1])
        widths.append(high - low)
        rows = np.random.default_rng(seed).choice(ITEMS, 80, replace=False)
        simple = posterior(population.right[rows].astype(float), strata, items, first_apart=False)
        assert simple is not None
        plain.append(simple.interval[1] - simple.interval[0])
    assert np.mean(held) >= 0.8 and np.mean(gained) >= 0.8
    assert np.mean(widths) <= 1.03 * np.mean(plain)


def test_everything_answered_is_a_census(population: Population) -> None:
    found = population.estimate(ITEMS)
    truth = population.right.mean()
    assert found.adapted.value == pytest.approx(truth)
    assert found.adapted.interval == pytest.approx((truth, truth))
    own = (population.frame.zero_shot == population.labels).mean()
    assert found.difference.value == pytest.approx(truth - own)
    assert found.verdict == "improved" and found.served == "adapted"


def test_a_threshold_keeps_the_wished_accuracy_and_more_answers_are_told_where_none_does(
    population: Population,
) -> None:
    kept = []
    for seed in range(20):
        found = population.estimate(600, wished=0.9, seed=seed)
        assert found.threshold is not None and found.more_answers is None
        answered = population.frame.probability >= found.threshold.threshold
        assert found.threshold.answered == pytest.approx(answered.mean())
        kept.append(population.right[answered].mean() >= 0.9)
    assert np.mean(kept) >= 0.85
    few = population.estimate(24, wished=0.93, seed=1)
    assert few.threshold is None
    assert few.more_answers is None or few.more_answers > 0
    assert population.estimate(24, wished=1.0).threshold is None


def test_the_number_of_more_answers_is_about_what_allows_a_threshold(population: Population) -> None:
    told = [found.more_answers for seed in range(20) if (found := population.estimate(24, 0.9, seed)).threshold is None]
    wanted = [more for more in told if more is not None]
    assert wanted
    more = round(float(np.median(wanted)))
    for size, least in ((24 + more, 0.3), (24 + 2 * more, 0.6)):
        assert np.mean([population.estimate(size, 0.9, seed).threshold is not None for seed in range(20)]) >= least


def test_the_first_answers_alone_estimate_the_same(population: Population) -> None:
    truth = population.right.mean()
    early = [population.estimate(80, seed=seed, first=40) for seed in range(40)]
    assert np.mean([found.adapted.value for found in early]) == pytest.approx(truth, abs=0.03)
    assert {found.answers for found in early} == {40}


def test_an_item_of_no_class_counts_as_wrong(population: Population) -> None:
    drawn = draw(population.frame, 60)
    answers = population.answered(drawn)
    nothing = np.full(60, NONE_OF_THESE)
    found = estimate(
        drawn.design,
        Answered(answers.strata, nothing, answers.adapted, answers.zero_shot, answers.probability),
        wished_accuracy=0.9,
    )
    assert found is not None
    assert found.adapted.value == found.zero_shot.value == 0
    assert found.threshold is None and found.more_answers is None
    assert found.verdict == "uncertain"


def test_classes_with_enough_answers_are_measured(population: Population) -> None:
    found = population.estimate(300)
    assert [each.class_index for each in found.classes] == list(range(CLASSES))
    for each in found.classes:
        share = population.right[population.frame.adapted == each.class_index].mean()
        assert each.interval[0] - 0.05 <= share <= each.interval[1] + 0.05
    assert not population.estimate(10).classes


def test_an_adaptation_that_harms_is_told_and_zero_shot_proposed() -> None:
    better = Population(seed=2)
    frame = better.frame
    better.frame = replace(frame, adapted=frame.zero_shot, zero_shot=frame.adapted)
    found = better.estimate(400)
    assert found.difference.value < 0
    assert found.verdict == "harmful" and found.served == "zero_shot"


@pytest.mark.parametrize(
    ("size", "suspected", "code"),
    [(0, None, "audit_size"), (ITEMS + 1, None, "audit_size"), (5, 6, "audit_suspected"), (5, -1, "audit_suspected")],
)
def test_sizes_that_cannot_be_drawn_are_refused(
    population: Population, size: int, suspected: int | None, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        draw(population.frame, size, suspected)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("right", "count", "low", "high"), [(80, 80, 0.96, 1.0), (0, 80, 0.0, 0.04), (40, 80, 0.4, 0.6)]
)
def test_an_interval_of_one_stratum_is_that_of_jeffreys(right: int, count: int, low: float, high: float) -> None:
    values = np.repeat([1.0, 0.0], [right, count - right])
    found = posterior(values, np.zeros(count, dtype=int), np.array([10**6]), first_apart=False)
    assert found is not None and found.value == right / count
    assert low <= found.interval[0] <= found.interval[1] <= high


def test_the_suspected_are_the_same_where_numpy_gives_places_along_an_axis(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = population.frame.suspected(40)
    unique = np.unique

    def of_numpy_2_0(values: np.ndarray, axis: int | None = None, **wanted: bool) -> tuple[np.ndarray, ...]:
        found = unique(values, axis=axis, **wanted)
        return found if axis is None else (found[0], found[1].reshape(1, -1))

    monkeypatch.setattr(np, "unique", of_numpy_2_0)
    assert np.array_equal(population.frame.suspected(40), expected)


def test_an_interval_holds_its_own_estimate() -> None:
    for value in (0.0, 1.0):
        found = posterior(np.full(13, value), np.zeros(13, dtype=np.int64), np.array([14]), False)
        assert found is not None
        low, high = found.interval
        assert low <= found.value == value <= high
