"""How much exports take is noted as it is, whoever counts at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from store.database import Database
from store.export_bytes import count_exports
from store.storage import Storage
from store.storage_keys import export_key
from store.tables import AdaptedModel
from tests.waiting import WAIT_SECONDS


@pytest.fixture
def files_of(tmp_path: Any) -> Any:
    """A file of so many bytes."""

    def make(size: int) -> Any:
        path = tmp_path / f"{size}"
        path.write_bytes(bytes(size))
        return path

    return make


def test_who_looked_first_does_not_note_an_older_size_last(
    rows: Any, database: Database, storage: Storage, get: Any, files_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_id, look = rows.model(), storage.files
    storage.put_file(f"{export_key(model_id, 'one')}/file", files_of(10))
    others: list[threading.Thread] = []

    def look_before_another_is_stored(key: str) -> Iterator[Any]:
        found = list(look(key))
        if not others:
            storage.put_file(f"{export_key(model_id, 'two')}/file", files_of(5))
            others.append(threading.Thread(target=count_exports, args=(database, storage, model_id)))
            others[0].start()
            others[0].join(0.3)
        return iter(found)

    monkeypatch.setattr(storage, "files", look_before_another_is_stored)
    count_exports(database, storage, model_id)
    others[0].join(WAIT_SECONDS)
    assert get(AdaptedModel, model_id).exports_bytes == 15
