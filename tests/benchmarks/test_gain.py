"""What the benchmark of gains makes of candidates and files whose figures can be worked out by hand."""

from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
import torch
from gain_fit import Candidates, choosing_half, fit_rows, left_out_estimates
from gain_measure import GainCells, cells_of
from gain_quality import Measured, qualities
from gain_report import summarise
from gain_tasks import feature_tasks, variants
from trust_tasks import skewed_rows

from pouf_core.contract.closed_forms import ClosedFormSettings
from pouf_core.validation.evidence import Evidence
from pouf_core.validation.gain import TERMS

CONSTANT, NEIGHBOURS, GAUSSIAN, TEXT = -0.1, 0.8, 0.5, -0.4


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the benchmark runs; several wait for each other on so few items."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _candidates(families: int, noise: float = 0.0, flipped: int | None = None) -> Candidates:
    """Gains that follow the formula; in family `flipped` its opposite."""
    random = np.random.default_rng(0)
    evidence, gains, names = [], [], []
    for family in range(families):
        for _ in range(80):
            changed, neighbours, gaussian, text = random.uniform((0.02, -0.5, -0.5, 0), (0.4, 0.5, 0.5, 0.5))
            rate = CONSTANT + NEIGHBOURS * neighbours + GAUSSIAN * gaussian + TEXT * text
            evidence.append(_evidence(changed, neighbours=neighbours, gaussian=gaussian, text=text))
            sign = -1 if family == flipped else 1
            gains.append(100 * changed * sign * (rate + noise * random.normal()))
            names.append(f"family {family}")
    forms = [ClosedFormSettings(tune="gaussian", logit_scale=50.0)] * len(evidence)
    return Candidates(evidence, forms, np.array(gains), np.array(names))


def _evidence(changed: float, **figures: float) -> Evidence:
    """Of 1000 items and 10 classes; figures that are not given are 0."""
    none = {one.name: 0.0 for one in fields(Evidence)}
    return Evidence(**(none | {"items": 1000, "classes": 10, "changed": changed} | figures))


def _file(path: Path, labels: np.ndarray, wordings: int | None = None) -> Path:
    random = np.random.default_rng(len(path.stem))
    classes = int(labels.max()) + 1
    shape = (classes, 8) if wordings is None else (wordings, classes, 8)
    text = random.normal(size=shape)
    prototypes = text if wordings is None else text[0]
    image = prototypes[labels] + 0.7 * random.normal(size=(len(labels), 8))
    np.savez(path, image=image.astype(np.float16), text=text.astype(np.float16), label=labels)
    return path


def test_a_fit_finds_the_coefficients_that_made_the_gains() -> None:
    row = fit_rows({"pairs": _candidates(4)})["pairs"]
    found = dict(zip(TERMS, row.slopes, strict=True))
    terms = (row.constant, found["neighbours"], found["gaussian"], found["text"])
    assert terms == pytest.approx((CONSTANT, NEIGHBOURS, GAUSSIAN, TEXT), abs=0.05)
    assert found["log_classes"] == 0


def test_a_row_of_few_families_leans_on_the_others() -> None:
    few, many = _candidates(3, flipped=0), _candidates(8)
    alone = fit_rows({"text": few})["text"].slopes[TERMS.index("neighbours")]
    beside = fit_rows({"text": few, "pairs": many})["text"].slopes[TERMS.index("neighbours")]
    assert alone < beside < NEIGHBOURS


def test_the_interval_of_a_fit_holds_nine_in_ten_of_noisy_gains() -> None:
    data = _candidates(5, noise=0.3)
    low, high = data.estimated(fit_rows({"pairs": data})["pairs"])[:, 1:].T
    assert 0.86 <= np.mean((low <= data.gains) & (data.gains <= high)) <= 0.95


def test_a_family_that_is_left_out_does_not_enter_its_own_estimates() -> None:
    data = _candidates(4, flipped=3)
    estimates = left_out_estimates({"pairs": data})["pairs"]
    own = data.families == "family 3"
    assert np.corrcoef(estimates[own, 0], data.gains[own])[0, 1] < -0.9


def test_two_families_are_too_few_to_leave_one_out() -> None:
    assert left_out_estimates({"pairs": _candidates(2)}) == {}


def test_half_of_the_families_are_for_choosing_whatever_their_order() -> None:
    assert choosing_half(["d", "b", "a", "c", "a"]) == {"a", "c"} == choosing_half(["a", "b", "c", "d"])


def test_figures_of_the_estimate_count_candidates_and_cells() -> None:
    def candidate(gain: float, changed: float = 0.1) -> dict[str, object]:
        evidence = asdict(_evidence(changed))
        return {"settings": {"tune": "gaussian", "logit_scale": 50.0}, "gain": gain, "evidence": evidence}

    cells = [
        {"family": "one", "row": "pairs", "candidates": [candidate(5.0), candidate(-2.0)]},
        {"family": "two", "row": "pairs", "candidates": [candidate(-3.0), candidate(1.0)]},
    ]
    estimates = np.array([(4.0, -0.5, 5.5), (-2.0, -4.0, 0.0), (2.0, 0.5, 3.0), (0.0, -1.0, 2.0)])
    found = qualities({"pairs": Measured.of(cells)}, {"pairs": estimates})["pairs"]
    assert found["truly_losing"] == 0.5
    assert found["auroc"] == 0.75  # 4 and 0 against -2 and 2: three of four pairs in order
    assert found["coverage"] == 0.75
    assert found["median_width"] == 3.5  # 6, 4, 2.5 and 3 wide
    assert found["losers_served"] == 0.5
    assert found["forgone"] == (0 + 4) / 2


def test_files_with_equal_labels_are_one_family_and_each_wording_is_a_task(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(3), 20)
    files = [
        _file(tmp_path / "fields_small.npz", labels, wordings=2),
        _file(tmp_path / "fields_large.npz", labels),
        _file(tmp_path / "cars.npz", labels[::-1].copy()),
    ]
    found = [(task.name, task.family, task.whole) for task in feature_tasks(files)]
    assert found == [
        ("fields_small", "fields", True),
        ("fields_small, wording 2", "fields", False),
        ("fields_large", "fields", True),
        ("cars", "cars", True),
    ]


def test_a_variant_has_some_classes_with_their_items_numbered_anew(tmp_path: Path) -> None:
    (task,) = feature_tasks([_file(tmp_path / "many.npz", np.repeat(np.arange(20), 15))])
    found = {one.name: one for one in variants(task)}
    assert list(found) == ["many, 5 classes", "many, 12 classes", "many, few items"]
    few = found["many, 5 classes"]
    assert np.bincount(few.labels).tolist() == [15] * 5
    for label in range(5):
        (original,) = np.flatnonzero((task.prototypes == few.prototypes[label]).all(dim=1).numpy())
        assert few.features[few.labels == label].tolist() == task.features[task.labels == original].tolist()


def test_two_classes_have_exactly_the_sizes_that_a_skew_names() -> None:
    labels = np.repeat([0, 1], [500, 300])
    sizes = sorted(np.bincount(labels[skewed_rows(labels, 2, "1:10", seed=0)]))
    assert sizes[1] == pytest.approx(10 * sizes[0], abs=5)
    assert sizes[1] >= 300


def test_cells_are_measured_once_and_kept(tmp_path: Path) -> None:
    tasks = feature_tasks([_file(tmp_path / "some.npz", np.repeat(np.arange(4), 25))])
    first = list(GainCells(tmp_path / "cells.jsonl").measured(tasks, 2, []))
    again = list(GainCells(tmp_path / "cells.jsonl").measured(tasks, 2, []))
    assert first == again  # their seconds too
    assert len(first) == len(list(cells_of(tasks[0], 2))) == 7
    assert {cell["skew"]: cell["classes"] for cell in first}["a third absent"] == 4


def test_the_report_averages_encoders_before_families(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(4), 25)
    files = [_file(tmp_path / f"{name}.npz", labels) for name in ("fields_a", "fields_bb")]
    files.append(_file(tmp_path / "cars.npz", labels[::-1].copy()))
    cells = list(GainCells(tmp_path / "cells.jsonl").measured(feature_tasks(files), 1, []))
    for cell in cells:
        for candidate in cell["candidates"]:
            candidate["gain"] = {"fields_a": 2.0, "fields_bb": 4.0, "cars": 9.0}[cell["task"]]
    found = summarise(cells)["gains"]["pairs"]["best in hindsight"]["all"]
    assert found["families"] == {"cars": 9.0, "fields": 3.0}
    assert found["mean"] == 6.0
