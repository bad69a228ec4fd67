"""An outage of the storage or the database: 503 with a time to come back, and nothing that was committed is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from store.tables import AdaptedModel, Dataset, Upload
from tests.app.colour_engine import ColourEngine


@pytest.fixture
def storage_dir(settings: Any) -> Path:
    return settings.data_dir / "storage"


@pytest.fixture
def unmounted(api: Any, storage_dir: Path) -> Iterator[Path]:
    """The storage's directory is away; where it went to."""
    elsewhere = storage_dir.with_name("elsewhere")
    storage_dir.rename(elsewhere)
    yield elsewhere
    elsewhere.rename(storage_dir)


def upload(api: Any, picture: bytes, **headers: str) -> Any:
    return api.post("/v1/datasets", files=[("files", ("a.png", picture))], headers=headers)


@contextmanager
def locked(settings: Any) -> Iterator[None]:
    """Another process writes to the database, and does not end."""
    with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_who_only_reads_does_not_wait_for_a_write(api: Any, settings: Any, make_key: Any, monkeypatch: Any) -> None:
    key = make_key()
    monkeypatch.setattr("app.main.MOST_BUSY_SECONDS", 3600.0)
    patient = create_app(settings.model_copy(update={"database_busy_seconds": 3600.0}), ColourEngine)
    with TestClient(patient) as client, locked(settings):
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_a_write_that_waits_too_long_for_another_is_answered_503(
    settings: Any, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main.MOST_BUSY_SECONDS", 0.1)
    impatient = create_app(settings.model_copy(update={"database_busy_seconds": 3600.0}), ColourEngine)
    with TestClient(impatient, raise_server_exceptions=False) as client, locked(settings):
        response = client.post("/v1/datasets", data={"finalize": "false"})
    refused(response, 503, "database_unavailable")
    assert int(response.headers["retry-after"]) > 0


def test_an_upload_without_storage_is_answered_503_and_leaves_no_row(
    api: Any, unmounted: Path, picture: Any, refused: Any, database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    response = upload(api, picture())
    told = [record for record in caplog.records if record.levelname == "ERROR"]
    assert ["storage_unavailable" in record.getMessage() for record in told] == [True]
    assert told[0].exc_info is None
    refused(response, 503, "storage_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["x-should-retry"] == "true"
    assert str(unmounted.parent) not in response.text
    with database.read() as session:
        assert session.query(Dataset).count() == 0


def test_health_tells_of_a_storage_that_is_away(api: Any, unmounted: Path) -> None:
    response = api.get("/health/ready")
    check = response.json()["checks"]["storage"]
    assert response.status_code == 503
    assert check["ok"] is False
    assert str(unmounted.parent) not in check["reason"]


def test_deleting_goes_on_while_the_storage_is_away(api: Any, rows: Any, get: Any, storage_dir: Path) -> None:
    dataset_id, model_id = rows.dataset(), rows.model()
    storage_dir.rename(storage_dir.with_name("elsewhere"))
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204
    assert api.delete(f"/v1/models/{model_id}").status_code == 204
    assert get(AdaptedModel, model_id).deleted_at is not None


@pytest.fixture
def lost_answers(application: Any, api: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The database commits, and the connection breaks before it says so, as often as the list has entries."""
    dialect = application.state.pouf.database.engine.dialect
    commit = dialect.do_commit
    losses: list[int] = []

    def commit_without_answer(connection: Any) -> None:
        commit(connection)
        if losses:
            losses.pop()
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    monkeypatch.setattr(dialect, "do_commit", commit_without_answer)
    return losses


def test_a_lost_answer_to_a_commit_deletes_nothing(
    api: Any, lost_answers: list[int], picture: Any, refused: Any, database: Any, storage: Any
) -> None:
    lost_answers.append(1)
    refused(upload(api, picture()), 503, "database_unavailable")
    with database.read() as session:
        (row,) = session.query(Upload).all()
    assert storage.local(row.storage_key).read_bytes() == picture()
