"""Rows go some at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from store import row_removal
from store.row_removal import forget_rows
from store.tables import DatasetItem


def test_items_are_deleted_some_at_a_time_and_another_datasets_stay(rows, database, items_of, monkeypatch):
    monkeypatch.setattr(row_removal, "ROWS_AT_ONCE", 2)
    dataset, other = rows.dataset(), rows.dataset()
    for number in range(5):
        rows.picture(dataset, bytes([number]), status="rejected")
    rows.picture(other, b"a", status="rejected")
    left = []

    @contextmanager
    def write() -> Iterator[Session]:
        with database.write() as session:
            yield session
        left.append(len(items_of(dataset)))

    assert forget_rows(write, DatasetItem, DatasetItem.dataset_id == dataset) == 5
    assert left == [3, 1, 0]
    assert len(items_of(other)) == 1
