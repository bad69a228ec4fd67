"""The classes' sizes that the benchmark of trust promises."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from trust_tasks import SKEWS, Task, clip_art, skewed

SIZES = (100, 90, 80, 40, 70, 60)


@pytest.fixture
def task() -> Task:
    return _task(SIZES)


def _task(sizes: Sequence[int]) -> Task:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    names = [f"class {k}" for k in range(len(sizes))]
    return Task("made up", names, [Path(f"{row}.png") for row in range(len(labels))], labels)


def _sizes(task: Task) -> list[int]:
    return np.bincount(task.labels, minlength=len(task.class_names)).tolist()


def test_the_task_is_not_changed_and_pictures_keep_their_labels(task: Task) -> None:
    labels = dict(zip(task.pictures, task.labels, strict=True))
    for skew in SKEWS:
        some = skewed(task, skew, seed=1)
        assert some.class_names == task.class_names
        assert len(set(some.pictures)) == len(some.pictures)
        assert all(labels[picture] == label for picture, label in zip(some.pictures, some.labels, strict=True))
    assert _sizes(task) == list(SIZES)


def test_balanced_classes_are_as_large_as_the_one_at_the_lower_quartile(task: Task) -> None:
    assert _sizes(skewed(task, "balanced", seed=0)) == [62, 62, 62, 40, 62, 60]


@pytest.mark.parametrize(("skew", "ratio"), [("1:10", 10), ("1:50", 50)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sizes_fall_geometrically_where_there_are_pictures_enough(skew: str, ratio: int, seed: int) -> None:
    count, most = 7, 2_000
    sizes = sorted(_sizes(skewed(_task([most] * count), skew, seed)), reverse=True)
    factor = ratio ** (1 / (count - 1))
    # The median class takes all its pictures and the ones before it have no more, so that half of the fall is left.
    assert sizes == pytest.approx([most] * 3 + [most / factor**rank for rank in range(4)], abs=1)


def test_a_third_of_the_classes_is_absent_and_the_others_keep_all_their_pictures(task: Task) -> None:
    sizes = _sizes(skewed(task, "a third absent", seed=0))
    assert sizes.count(0) == 2
    assert all(size in (0, full) for size, full in zip(sizes, SIZES, strict=True))


@pytest.mark.parametrize("skew", SKEWS)
def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(task: Task, skew: str) -> None:
    first, again, other = (skewed(task, skew, seed) for seed in (3, 3, 4))
    assert first.pictures == again.pictures
    assert first.pictures != other.pictures


def test_clip_art_has_a_class_for_every_label_and_pictures_that_are_there() -> None:
    task = clip_art()
    assert len(task.class_names) == 21
    assert len(task.pictures) == len(task.labels) == 519
    assert all(Path(picture).is_file() for picture in task.pictures)
