"""Tables as people have them, uploaded: the texts and labels that the library finds (`tests/pouf_core/data`)."""

from __future__ import annotations

from typing import Any

import pytest

from pouf_core.data.texts import TextItem, text_hash
from store.tables import Dataset
from tests.corpus.published import PUBLISHED
from tests.corpus.sheets import SHEETS
from tests.corpus.surveys import SURVEYS
from tests.corpus.tables import TABLES, Table
from tests.corpus.tools import TOOL_TABLES
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

EVERY = 10
"""Of so many tables one is read in the default run; both doors share what reads them."""


def check(table: Table, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any) -> None:
    dataset_id = add_dataset({table.file_name: table.content}, modality="auto")
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.modality, dataset.warnings) == ("ready", "text", [])
    found = {item.sha256: item.label for item in items_of(dataset_id) if item.status == "accepted"}
    labels = table.labels or (None,) * len(table.texts)
    assert found == {text_hash(TextItem(text)): label for text, label in zip(table.texts, labels, strict=True)}
    (reading,) = dataset.readings
    assert reading["rows"] - reading["rejected_rows"] == len(table.texts)


@pytest.mark.parametrize(
    "table",
    [*TABLES[::EVERY], *SHEETS[::EVERY], *PUBLISHED[::EVERY], *TOOL_TABLES[::EVERY], *SURVEYS[::EVERY]],
    ids=lambda table: table.name,
)
def test_a_table_is_ingested_as_it_was_meant(
    table: Table, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any
) -> None:
    check(table, context, add_dataset, get, items_of)


@pytest.mark.slow
@pytest.mark.parametrize("table", [*TABLES, *SHEETS, *PUBLISHED, *TOOL_TABLES, *SURVEYS], ids=lambda table: table.name)
def test_every_table_is_ingested_as_it_was_meant(
    table: Table, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any
) -> None:
    check(table, context, add_dataset, get, items_of)
