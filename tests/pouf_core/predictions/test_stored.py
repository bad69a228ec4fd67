"""Stored predictions: what was written is read, an item is found by its content, thresholds say what they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pouf_core.contract.predictions import PredictionsHeader
from pouf_core.predictions.predicted import prediction_records
from pouf_core.predictions.stored import (
    OTHER,
    RECORD,
    RECORDS,
    Records,
    open_clusters,
    open_predictions,
    write_clusters,
    write_predictions,
)

COUNT = 40


def header(**values: Any) -> PredictionsHeader:
    fields = {"class_names": ["a", "b", "c"], "variant": "adapted", "threshold": 0.0, "accepted_from": 0.5}
    return PredictionsHeader.model_validate({**fields, "item_count": COUNT, **values})


@pytest.fixture(scope="module")
def records() -> Records:
    drawn = np.random.default_rng(0)
    digests = drawn.integers(0, 256, (COUNT, 32), dtype=np.uint8)
    digests[:, 31] = 0  # the end of a byte string, for those that compare as strings
    digests = digests[np.lexsort(digests.T[::-1])]
    served, zero_shot = (torch.from_numpy(drawn.dirichlet(np.ones(3), COUNT)) for _ in range(2))
    return prediction_records(digests, served, zero_shot)


def test_records_are_read_as_they_were_written(tmp_path: Path, records: Records) -> None:
    write_predictions(tmp_path / "p", header(), [records[:7], records[7:7], records[7:]])
    found = open_predictions(tmp_path / "p")
    assert found.records.tobytes() == records.tobytes()
    assert isinstance(found.records, np.memmap)
    assert found.header == header()


def test_a_record_holds_the_two_best_classes_and_the_base_models_own() -> None:
    served, zero_shot = torch.tensor([[0.2, 0.1, 0.7]]), torch.tensor([[0.5, 0.4, 0.1]])
    (record,) = prediction_records(np.zeros((1, 32), np.uint8), served, zero_shot)
    assert (record["label"], record["runner_up"], record["zero_shot_label"]) == (2, 0, 0)
    numbers = (record["probability"], record["runner_up_probability"], record["zero_shot_probability"])
    assert numbers == pytest.approx((0.7, 0.2, 0.5))


def test_items_are_found_by_content_in_any_order(tmp_path: Path, records: Records) -> None:
    write_predictions(tmp_path / "p", header(), [records])
    found = open_predictions(tmp_path / "p")
    order = np.random.default_rng(1).permutation(COUNT)
    hashes = [digest.tobytes().hex() for digest in records["sha256"]]
    assert found.hashes == hashes
    assert found.find([*(hashes[place] for place in order), "ff" * 32]).tolist() == [*order.tolist(), -1]


@pytest.mark.parametrize("threshold", [0.0, 0.5])
@pytest.mark.parametrize("accepted_from", [0.0, 0.6, None])
def test_below_the_thresholds_items_have_no_class_or_are_to_be_reviewed(
    tmp_path: Path, records: Records, threshold: float, accepted_from: float | None
) -> None:
    write_predictions(tmp_path / "p", header(threshold=threshold, accepted_from=accepted_from), [records])
    found = open_predictions(tmp_path / "p")
    probability = records["probability"]
    assert (found.answered == (probability >= threshold)).all()
    least = 2.0 if accepted_from is None else max(threshold, accepted_from)
    assert (found.accepted == (probability >= least)).all()


def test_changes_margins_and_counts_follow_from_the_records(tmp_path: Path, records: Records) -> None:
    write_predictions(tmp_path / "p", header(), [records])
    found = open_predictions(tmp_path / "p")
    assert (found.changed == (records["label"] != records["zero_shot_label"])).all()
    assert found.changed.any()
    assert (found.margin >= 0).all()
    before, after = found.counts()
    assert before.sum() == after.sum() == COUNT
    assert after[2] == (records["label"] == 2).sum()
    assert len(found.rows(found.changed)) == found.changed.sum()


def test_records_out_of_order_twice_or_too_few_are_refused(tmp_path: Path, records: Records) -> None:
    for pieces in ([records[::-1]], [records[20:], records[:20]], [records[:20], records[19:]], [records[:20]]):
        with pytest.raises(ValueError):
            write_predictions(tmp_path / "p", header(), pieces)


def test_a_truncated_or_foreign_file_is_not_read(tmp_path: Path, records: Records) -> None:
    write_predictions(tmp_path / "p", header(), [records])
    content = (tmp_path / "p" / RECORDS).read_bytes()
    (tmp_path / "p" / RECORDS).write_bytes(content[: -RECORD.itemsize])
    with pytest.raises(ValueError):
        open_predictions(tmp_path / "p")
    np.save(tmp_path / "p" / RECORDS, np.zeros(COUNT))
    with pytest.raises(ValueError):
        open_predictions(tmp_path / "p")


def test_the_other_variant_is_read_where_it_was_kept(tmp_path: Path, records: Records) -> None:
    write_predictions(tmp_path, header(), [records])
    assert open_predictions(tmp_path, "zero_shot").header.variant == "adapted"  # an older version kept one
    write_predictions(tmp_path / OTHER, header(variant="zero_shot", threshold=0.25), [records])
    assert open_predictions(tmp_path, "zero_shot").header == header(variant="zero_shot", threshold=0.25)
    assert open_predictions(tmp_path, "adapted").header == open_predictions(tmp_path).header == header()


def test_items_have_the_clusters_that_were_written_and_one_where_none_were(tmp_path: Path) -> None:
    assert open_clusters(tmp_path, 3).tolist() == [0, 0, 0]
    write_clusters(tmp_path, np.array([4, 2, 4], np.int16))
    assert open_clusters(tmp_path, 3).tolist() == [4, 2, 4]
    with pytest.raises(ValueError, match="does not hold 2 clusters"):
        open_clusters(tmp_path, 2)
