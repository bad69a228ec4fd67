"""A finished job with predictions of a dataset, made directly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pouf_core.contract.predictions import PredictionsHeader
from pouf_core.predictions.predicted import prediction_records
from pouf_core.predictions.stored import OTHER, StoredPredictions, open_predictions, write_predictions
from store.tables import DatasetItem
from tests.rows import Rows

CLASSES = ["red", "green", "blue"]


@dataclass
class Predicted:
    """A job, its dataset, and the predictions of the dataset's items.

    Attributes:
        names: in the order of the dataset, by content hash.
        key: of the predictions in the storage.
    """

    job_id: str
    dataset_id: str
    names: dict[str, str]
    stored: StoredPredictions
    key: str

    def record(self, sha256: str) -> Any:
        """What is stored of an item."""
        return self.stored.records[self.stored.find([sha256])[0]]


@pytest.fixture
def predicted(rows: Rows, tmp_path: Path) -> Callable[..., Predicted]:
    """Makes one of so many items, whose contents are their names; options as for `predict`."""

    def make(
        count: int = 30,
        names: list[str] | None = None,
        texts: list[str] | None = None,
        owner: str = "local",
        **options: Any,
    ) -> Predicted:
        names = names or [f"folder/{number}.png" for number in range(count)]
        hashes = {hashlib.sha256(name.encode()).hexdigest(): name for name in names}
        dataset_id = rows.dataset(owner=owner, item_count=len(names), modality="text" if texts else "image")
        key = f"datasets/{dataset_id}/texts"
        if texts:
            rows.storage.put_stream(key, [json.dumps({"text": text}).encode() + b"\n" for text in texts])
        with rows.database.write() as session:
            for index, (sha256, name) in enumerate(hashes.items()):
                text = texts[index][:200] if texts else None
                fields = {"dataset_id": dataset_id, "sha256": sha256, "text": text, "storage_key": key}
                for item in (
                    DatasetItem(name=name, status="accepted", **fields),
                    DatasetItem(name=f"copy of {name}", status="duplicate", **fields),
                ):
                    session.add(item)
                    session.flush()  # one by one, so that their ids are in this order
        return _predicted(rows, tmp_path, dataset_id, hashes, owner=owner, **options)

    return make


@pytest.fixture
def predict(rows: Rows, tmp_path: Path) -> Callable[..., Predicted]:
    """Makes another job with predictions of a dataset; options are fields of the header, and the seed."""
    return partial(_predicted, rows, tmp_path)


def _predicted(
    rows: Rows,
    tmp_path: Path,
    dataset_id: str,
    names: dict[str, str],
    seed: int = 0,
    owner: str = "local",
    **header: Any,
) -> Predicted:
    drawn = torch.Generator().manual_seed(seed)
    size = len(header.get("class_names", CLASSES))
    served, own = (torch.randn(len(names), size, generator=drawn).mul(2).softmax(dim=1) for _ in range(2))
    digests = np.frombuffer(bytes.fromhex("".join(sorted(names))), np.uint8).reshape(-1, 32)
    fields = {"class_names": CLASSES, "variant": "adapted", "threshold": 0.0, "accepted_from": 0.6, **header}
    about = PredictionsHeader.model_validate({**fields, "item_count": len(names)})
    key = f"predictions/{dataset_id}-{seed}"
    folder = tmp_path / key
    other = about.model_copy(update={"variant": "adapted" if about.variant == "zero_shot" else "zero_shot"})
    for place, one in ((folder, about), (folder / OTHER, other)):
        shown = (own, own, served) if one.variant == "zero_shot" else (served, own)
        write_predictions(place, one, [prediction_records(digests, *shown)])
    rows.storage.put_directory(key, folder)
    fallback = "zero_shot" if about.variant == "zero_shot" else None
    columns = {"owner": owner, "predictions_key": key, "model_id": "mdl_1", "class_names": about.class_names}
    columns["fallback"] = fallback
    job_id = rows.job("running", "succeeded", dataset_id=dataset_id, **columns)
    return Predicted(job_id, dataset_id, names, open_predictions(folder), key)
