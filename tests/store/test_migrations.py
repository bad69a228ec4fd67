"""Databases of earlier versions, brought to the newest."""

from datetime import datetime

import pytest
from sqlalchemy import MetaData, insert

from app.jobs.schemas import show_job
from app.keys import service as keys
from app.models.schemas import show_model
from store.database import Database, upgrade
from store.settings import Settings
from store.tables import AdaptedModel, Dataset, Job

NOW = datetime(2026, 1, 1)
DATASET = {
    "id": "ds_1",
    "owner": "local",
    "modality": "image",
    "status": "ready",
    "meta": {},
    "item_count": 8,
    "duplicate_count": 0,
    "rejected_count": 0,
    "labelled_count": 0,
    "created_at": NOW,
    "updated_at": NOW,
}
CONTENT = {
    "owner": "local",
    "meta": {"team": "birds"},
    "method": {"tune": "prompt", "max_steps": 40},
    "base_model": "pouf-lite",
    "class_names": ["bird", "boat"],
    "prompt_template": ["a photo of a {}."],
    "created_at": NOW,
}
JOB = CONTENT | {
    "id": "job_1",
    "status": "succeeded",
    "status_transitions": [],
    "request": {},
    "dataset_id": "ds_1",
    "seed": 0,
    "attempt": 1,
    "lost_attempts": 0,
    "step": 40,
    "total_steps": 40,
    "warnings": [{"code": "items_rejected", "message": "One."}],
    "cancel_requested": False,
    "pause_requested": False,
    "version": 9,
    "event_seq": 9,
    "updated_at": NOW,
}
MODEL = CONTENT | {
    "id": "mdl_1",
    "job_id": "job_1",
    "tune": "prompt",
    "storage_key": "models/mdl_1",
    "size_bytes": 1,
    "fingerprint": "f" * 64,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def database(url):
    upgrade(url, "0001")
    database = Database(url)
    yield database
    database.dispose()


def add(database: Database, **rows: dict) -> None:
    """Write rows as the version of the database's tables writes them."""
    tables = MetaData()
    tables.reflect(database.engine)
    with database.write() as session:
        for table, values in rows.items():
            session.execute(insert(tables.tables[table]), values)


def test_jobs_and_models_of_the_first_tables_get_no_verdict_and_keep_the_rest(url, database):
    add(database, datasets=DATASET, jobs=JOB, models=MODEL)
    upgrade(url)
    with database.read() as session:
        job, model = session.get_one(Job, "job_1"), session.get_one(AdaptedModel, "mdl_1")
        for document in (show_job(job, None), show_model(model, [])):
            assert (document["verdict"], document["verdict_reasons"], document["fallback"]) == (None, [], None)
            assert document["selected_step"] is None
            assert (document["metadata"], document["class_names"]) == ({"team": "birds"}, ["bird", "boat"])
        assert (job.step, job.warnings, model.storage_key) == (40, JOB["warnings"], "models/mdl_1")


def test_a_worker_of_the_first_version_may_still_add_rows(url, database):
    tables_of_the_first_version = MetaData()
    tables_of_the_first_version.reflect(database.engine)
    upgrade(url)
    with database.write() as session:
        for table, values in (("datasets", DATASET), ("jobs", JOB), ("models", MODEL)):
            session.execute(insert(tables_of_the_first_version.tables[table]), values)
    with database.read() as session:
        assert session.get_one(Job, "job_1").verdict_reasons == []
        assert session.get_one(AdaptedModel, "mdl_1").verdict_reasons == []
        dataset = session.get_one(Dataset, "ds_1")
        assert (dataset.extracted_bytes, dataset.owner_limits) == (0, None)


def test_a_database_from_before_keys_has_none_and_takes_one(url, tmp_path):
    upgrade(url, "0002")
    upgrade(url)
    database = Database(url)
    assert keys.list_all(database) == []
    made, _ = keys.create(Settings(data_dir=tmp_path, database_url=url), database, keys.NewKey("local", "n", ["read"]))
    assert [key.id for key in keys.list_all(database)] == [made.id]
    database.dispose()
