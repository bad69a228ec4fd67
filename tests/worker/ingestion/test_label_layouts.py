"""Labels of folders and files in uploads, found as by the library."""

from __future__ import annotations

from typing import Any

import pytest

from store.tables import Dataset
from tests.corpus.labels import Layout
from tests.corpus.layouts import ALL_LAYOUTS
from tests.worker.ingestion.archive_files import zipped
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

EVERY = 6
"""Of so many layouts one is read in the default run, the others in the slow one; the library reads all by default."""
LAYOUTS = [
    pytest.param(layout, id=layout.name, marks=[pytest.mark.slow] if number % EVERY else [])
    for number, layout in enumerate(ALL_LAYOUTS)
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_archive_is_labelled_as_it_was_meant(
    layout: Layout, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any
) -> None:
    files = {"upload.zip": zipped(dict(layout.files))}
    dataset_id = add_dataset(files, modality=layout.modality, labels=layout.wanted)
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.rejected_count) == ("ready", 0)
    labels = {item.name: item.label for item in items_of(dataset_id, "accepted")}
    assert {name: labels[name] for name in layout.labels} == layout.labels
    assert dataset.label_source["kind"] == layout.kind
    assert dataset.label_source["skipped_levels"] == list(layout.skipped)
    assert dataset.suggested_class_names == layout.class_names
    assert [warning["code"] for warning in dataset.warnings] == list(layout.warnings)
