"""Which step is kept: candidates, what is held out, and settling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

import pouf_core
from pouf_core.adaptation.features import CachedFeatures, Draw
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.validation.selection import CANDIDATES, StepSelection, held_out_count
from pouf_core.validation.thresholds import Thresholds
from tests.pouf_core.conftest import CLASS_NAMES, draw_shape
from tests.pouf_core.threshold_overrides import CLEAR_DATA, TRUSTED_CHANGES, set_limits

ZERO_SHOT = torch.tensor([[0.6, 0.4], [0.4, 0.6], [0.7, 0.3], [0.3, 0.7]])
QUIET = torch.tensor([[0.7, 0.3], [0.3, 0.7], [0.8, 0.2], [0.2, 0.8]])
COLLAPSED = torch.tensor([[0.99, 0.01]]).expand(4, 2)


class CountingLearner:
    """Weights that are the number of the last step."""

    def __init__(self) -> None:
        self.weight = torch.zeros(3)

    def tensors(self) -> dict[str, Tensor]:
        return {"weight": self.weight.clone()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        self.weight.copy_(tensors["weight"])


class Run:
    """Steps over a learner whose predictions are given for each step."""

    def __init__(self, max_steps: int, failing: Sequence[int] = ()) -> None:
        self.learner = CountingLearner()
        self.asked: list[int] = []
        self.micro_batches = 0
        step = 0

        def probabilities(on_micro_batch: Callable[[], None]) -> Tensor:
            on_micro_batch()
            self.asked.append(step)
            return COLLAPSED if step in failing else QUIET

        views = torch.stack([ZERO_SHOT, ZERO_SHOT])
        self.selection = StepSelection(
            self.learner,
            probabilities,
            views,
            ["cat", "dog"],
            max_steps,
            thresholds=Thresholds("image", "prompt"),
        )
        for number in range(1, max_steps + 1):
            step = number
            self.learner.weight.fill_(step / 3)
            self.selection.consider(step, self.count)
        self.kept = self.selection.settle()

    def count(self) -> None:
        self.micro_batches += 1


@pytest.mark.parametrize(
    ("items", "expected"),
    [(1, 0), (99, 0), (100, 20), (104, 20), (105, 21), (1000, 200), (4999, 999), (10_000, 1000), (60_000, 1000)],
)
def test_one_item_in_five_is_held_out_within_limits(items: int, expected: int) -> None:
    assert held_out_count(items) == expected


@pytest.mark.parametrize(
    ("max_steps", "candidates"),
    [(40, [10, 20, 30, 40]), (16, [4, 8, 12, 16]), (7, [1, 3, 5, 7]), (3, [1, 2, 3]), (1, [1]), (0, [])],
)
def test_candidates_stand_at_each_quarter(max_steps: int, candidates: list[int]) -> None:
    run = Run(max_steps)
    assert CANDIDATES == 4
    assert run.asked == candidates
    assert run.micro_batches == len(candidates)
    assert run.kept == max_steps


@pytest.mark.parametrize(
    ("failing", "kept"), [((), 8), ((8,), 6), ((6, 8), 4), ((2, 4), 8), ((4, 6, 8), 2), ((2, 4, 6, 8), 0)]
)
def test_the_latest_candidate_that_fails_no_check_is_kept(failing: Sequence[int], kept: int) -> None:
    run = Run(8, failing=failing)
    assert run.kept == kept
    expected = torch.full((3,), (kept or 8) / 3)
    assert torch.equal(run.learner.weight, expected)


def test_a_candidate_is_a_copy_that_later_steps_do_not_touch() -> None:
    run = Run(8, failing=[8])
    assert run.selection.best is not None
    run.learner.weight.fill_(99)
    assert run.selection.settle() == 6
    assert torch.equal(run.learner.weight, torch.full((3,), 2.0))


def test_held_out_items_are_in_no_batch() -> None:
    sampler = BatchSampler(80, 32, drop_last=False, seed=0, first=20)
    drawn = [index for step in range(20) for index, _ in sampler.batch(step)]
    assert set(drawn) == set(range(20, 100))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Items that training has drawn."""
    seen: list[int] = []
    features = CachedFeatures.features

    def spy(source: CachedFeatures, draws: Sequence[Draw]) -> Tensor:
        seen.extend(index for index, _ in draws)
        return features(source, draws)

    monkeypatch.setattr(CachedFeatures, "features", spy)
    return seen


@pytest.mark.parametrize(
    ("count", "settings", "first"),
    [
        (110, {"selection": "label_free"}, 22),
        (110, {"selection": "last"}, 0),
        (110, {}, 0),
        (110, {"preset": "paper", "batch_size": 50}, 0),
        (24, {}, 0),
    ],
)
def test_adaptation_trains_on_what_is_not_held_out(
    tiny_clip_directory: Path,
    tmp_path: Path,
    drawn: list[int],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    settings: dict[str, object],
    first: int,
) -> None:
    set_limits(monkeypatch, **CLEAR_DATA)
    cache = FeatureCache(fixed_views=1)
    pouf_core.adapt(
        [draw_shape(CLASS_NAMES[index % 3], index) for index in range(count)],
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"max_steps": 6, "batch_size": 60, **settings},
        out=tmp_path / "model",
        feature_cache=cache,
    )
    assert set(drawn) == set(range(first, count))


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any data has clear structure, and a change is harmful only when it is large."""
    set_limits(monkeypatch, **CLEAR_DATA, **TRUSTED_CHANGES)


@pytest.mark.parametrize(
    ("preset", "selection", "resolved"),
    [
        ("default", "label_free", "label_free"),
        ("default", "auto", "last"),  # of an encoder that the checks were not measured on
        ("default", "last", "last"),
        ("paper", "auto", "last"),
        ("paper", "last", "last"),
    ],
)
@pytest.mark.usefixtures("trusting")
def test_the_last_step_is_kept_unless_it_fails_a_check(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, preset: str, selection: str, resolved: str
) -> None:
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"preset": preset, "selection": selection, "max_steps": 4, "batch_size": 8},
        out=tmp_path / "model",
    )
    assert result.method["selection"] == resolved
    assert result.selected_step == 4


@pytest.mark.parametrize("settings", [{"preset": "paper", "fallback": "verdict"}, {"selection": "last"}])
def test_without_selection_even_a_harmful_last_step_is_kept_and_reported(
    tiny_clip_directory: Path,
    picture_paths: list[Path],
    tmp_path: Path,
    settings: dict[str, object],
) -> None:
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"tune": "model", "max_steps": 4, "batch_size": 12, "learning_rate": 0.01, **settings},
        out=tmp_path / "model",
    )
    assert result.selected_step == 4
    assert result.verdict != "improved"
    assert result.fallback == "zero_shot"
    assert result.verdict_reasons[0]["code"] == "gain_not_sure"
