"""Databases of earlier versions, brought to the newest."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, DateTime, MetaData, insert, select, text

from app.jobs.schemas import show_job
from app.keys import service as keys
from app.models.schemas import show_model
from store.database import Database, schema_is_newest, upgrade
from store.settings import Settings
from store.tables import AdaptedModel, Dataset, Job
from tests.waiting import WAIT_SECONDS, wait_for

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
        shown = show_job(job, None), show_model(model, [])
        for document in (part.model_dump(mode="json") for part in shown):
            assert (document["verdict"], document["verdict_reasons"], document["fallback"]) == (None, [], None)
            assert document["selected_step"] is None
            assert (document["metadata"], document["class_names"]) == ({"team": "birds"}, ["bird", "boat"])
        assert job.request.method.tune == model.request.method.tune == "prompt"  # the default of then
        assert (job.step, model.storage_key) == (40, "models/mdl_1")
        assert [warning.model_dump() for warning in job.result.warnings] == JOB["warnings"]
        dataset = session.get_one(Dataset, "ds_1")
        assert (dataset.extracted_bytes, dataset.owner_limits) == (0, None)


def test_requests_and_results_in_columns_become_documents(url):
    """The rows are of a real service of the version before, with jobs in every state."""
    upgrade(url, "0006")
    database = Database(url)
    before = add_rows(database)
    upgrade(url)
    with database.read() as session:
        jobs = {job.id: job for job in session.scalars(select(Job))}
        models = {model.id: model for model in session.scalars(select(AdaptedModel))}
    assert jobs.keys() == before["jobs"].keys()
    assert models.keys() == before["models"].keys()
    for job_id, old in before["jobs"].items():
        document = show_job(jobs[job_id], None).model_dump(mode="json")
        assert_same(document, old, ("seed", "evaluation", "warnings"))
        assert document["text_limits"] == old["request"].get("text_limits")
        assert (jobs[job_id].status, jobs[job_id].fence) == (old["status"], old["fence"])
    for model_id, old in before["models"].items():
        assert_same(show_model(models[model_id], []).model_dump(mode="json"), old, ("tune", "evaluation"))
        assert models[model_id].request == jobs[models[model_id].job_id].request
    database.dispose()


def assert_same(document: dict, row: dict, fields: tuple[str, ...]) -> None:
    """Compare what is shown of a request and a result with the columns that held their parts."""
    shared = ("base_model", "class_names", "prompt_template", "label_words", "verdict", "verdict_reasons")
    for name in (*shared, "fallback", "selected_step", *fields):
        assert without_nulls(document[name]) == without_nulls(row[name]), name
    old, shown = without_nulls(row["method"]), document["method"]  # which says more: settings that came later
    assert {name: shown.get(name) for name in old} == old


def without_nulls(value):
    """A mapping without the entries that are null: a method says null of settings that an older version left out."""
    return {name: part for name, part in value.items() if part is not None} if isinstance(value, dict) else value


def add_rows(database: Database) -> dict[str, dict[str, dict]]:
    """Write the rows of `rows_0006.json` and return those of jobs and models by id, as they were."""
    rows = json.loads((Path(__file__).parent / "rows_0006.json").read_text())
    tables = MetaData()
    tables.reflect(database.engine)
    with database.write() as session:
        for table in tables.sorted_tables:
            for values in rows.get(table.name, []):
                session.execute(insert(table), {name: read(table.c[name], value) for name, value in values.items()})
    return {table: {row["id"]: row for row in rows[table]} for table in ("jobs", "models")}


def read(column, value):
    """A value from JSON as the column's type takes it."""
    if value is not None and isinstance(column.type, DateTime):
        return datetime.fromisoformat(value)
    return value


def test_a_database_from_before_keys_has_none_and_takes_one(url, tmp_path):
    upgrade(url, "0002")
    upgrade(url)
    database = Database(url)
    assert keys.list_all(database) == []
    made, _ = keys.create(Settings(data_dir=tmp_path, database_url=url), database, keys.NewKey("local", "n", ["read"]))
    assert [key.id for key in keys.list_all(database)] == [made.id]
    database.dispose()


def test_migrations_add_only_what_the_version_before_can_do_without(url):
    """So that processes of both versions work with one database during an upgrade."""
    upgrade(url, "0012")
    before = columns(url)
    upgrade(url)
    after = columns(url)
    for name, column in before.items():
        assert (str(after[name].type), after[name].nullable) == (str(column.type), column.nullable), name
    tables = {table for table, _ in before}
    for name in after.keys() - before.keys():
        if name[0] in tables:
            assert after[name].nullable or after[name].server_default is not None, name


def columns(url: str) -> dict[tuple[str, str], Column]:
    database = Database(url)
    tables = MetaData()
    tables.reflect(database.engine)
    database.dispose()
    return {(table.name, column.name): column for table in tables.sorted_tables for column in table.columns}


def test_a_migration_that_a_request_deadlocks_with_begins_anew(postgres_url):
    upgrade(postgres_url, "0025")
    database = Database(postgres_url)
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as threads, database.write() as request:
        request.execute(text("SET LOCAL deadlock_timeout = '60s'"))  # so that it is the migration that is ended
        request.execute(text("LOCK TABLE datasets IN ROW EXCLUSIVE MODE"))
        upgrading = threads.submit(upgrade, postgres_url)
        wait_for(lambda: request.execute(waits).scalar_one())
        request.execute(text("LOCK TABLE jobs IN ROW EXCLUSIVE MODE"))  # where the migration has added an index
        request.commit()
        upgrading.result(WAIT_SECONDS)
    assert schema_is_newest(database)
    database.dispose()
