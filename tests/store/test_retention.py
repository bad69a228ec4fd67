"""What is too old goes, and nothing that is needed."""

import os
import time
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from store import row_removal
from store.clock import utcnow
from store.database import Database, upgrade
from store.retention import prune
from store.tables import (
    AdaptedModel,
    ApiKey,
    Dataset,
    DatasetItem,
    Job,
    JobEvent,
    JobMetric,
    Upload,
    Webhook,
    WebSession,
)

OLD = utcnow() - timedelta(days=400)


@pytest.fixture
def count(database):
    def rows_of(table, *conditions) -> int:
        with database.read() as session:
            return session.scalars(select(func.count()).select_from(table).where(*conditions)).one()

    return rows_of


@pytest.fixture
def make_old(database):
    """Sets every time of these rows to more than a year ago."""

    def change(table, *conditions, **values):
        with database.write() as session:
            for row in session.scalars(select(table).where(*conditions)):
                for name, value in values.items():
                    setattr(row, name, value)

    return change


@pytest.fixture
def pruned(database, storage, settings):
    def run(**options):
        return prune(database, storage, settings, utcnow(), **options)

    return run


def job_with_numbers(rows, *path):
    job_id = rows.job(*path)
    with rows.database.write() as session:
        session.add_all(JobMetric(job_id=job_id, step=step, data={"loss": 1.0}) for step in range(3))
    return job_id


def test_events_and_numbers_of_finished_jobs_go_and_jobs_stay(rows, count, make_old, pruned):
    ended, running, recent = (
        job_with_numbers(rows, *path) for path in (("running", "succeeded"), ("running",), ("running", "failed"))
    )
    for table in (JobEvent, JobMetric):
        make_old(table, table.job_id.in_([ended, running]), created_at=OLD)
    assert {name: pruned(remove=False)[name] for name in ("events", "metrics")} == {"events": 3, "metrics": 3}
    assert count(JobEvent, JobEvent.job_id == ended) == 3
    found = pruned()
    assert (found["events"], found["metrics"]) == (3, 3)
    for job_id, left in ((ended, 0), (running, 2), (recent, 3)):
        assert count(JobEvent, JobEvent.job_id == job_id) == left
        assert count(JobMetric, JobMetric.job_id == job_id) == (0 if job_id == ended else 3)
    assert count(Job) == 3
    assert not any(pruned().values())


def test_rows_go_some_at_a_time_and_all_of_them_are_counted(rows, count, make_old, pruned, database, monkeypatch):
    monkeypatch.setattr(row_removal, "ROWS_AT_ONCE", 2)
    with database.write() as session:
        session.add(ApiKey(id="key", owner="local", name="a", prefix="p", digest="d", scopes=[]))
        session.flush()
        session.add_all(WebSession(digest=str(n), key_id="key", created_at=OLD, expires_at=OLD) for n in range(5))
    make_old(JobMetric, JobMetric.job_id.in_([job_with_numbers(rows, "running", "failed")]), created_at=OLD)
    left = []
    event.listen(database.engine, "commit", lambda _: left.append((count(WebSession), count(JobMetric))))
    found = pruned()
    assert (found["expired sign-ins"], found["metrics"]) == (5, 3)
    assert [{pair[place] for pair in left} for place in (0, 1)] == [{5, 3, 1}, {3, 1, 0}]


def test_datasets_that_were_never_finalized_go_with_their_files(rows, count, make_old, pruned, storage, database):
    old, recent = rows.dataset("uploading"), rows.dataset("uploading")
    for dataset_id in (old, recent):
        key = f"datasets/{dataset_id}/uploads/a"
        storage.put_stream(key, [b"x"])
        with database.write() as session:
            session.add(
                Upload(
                    id=f"up_{dataset_id}", dataset_id=dataset_id, position=1, filename="a", storage_key=key, size=1,
                    sha256="a",
                )
            )  # fmt: skip
    make_old(Dataset, Dataset.id == old, updated_at=OLD)
    assert pruned()["unfinished datasets"] == 1
    assert count(Dataset, Dataset.id == old, Dataset.deleted_at.is_not(None)) == 1
    assert count(Upload, Upload.dataset_id == old) == 0
    assert list(storage.files(f"datasets/{old}")) == []
    assert count(Upload, Upload.dataset_id == recent) == 1
    assert len(list(storage.files(f"datasets/{recent}"))) == 1


def test_rows_of_what_was_deleted_go_once_nothing_names_them(rows, count, make_old, pruned):
    named, free = rows.dataset(), rows.dataset()
    rows.job(dataset_id=named)
    make_old(Dataset, Dataset.id.in_([named, free]), deleted_at=OLD)
    deleted, kept = rows.model(), rows.model()
    make_old(AdaptedModel, AdaptedModel.id == deleted, deleted_at=OLD)
    found = pruned()
    assert (found["deleted datasets"], found["deleted models"]) == (1, 1)
    assert count(Dataset, Dataset.id == named) == 1
    assert count(Dataset, Dataset.id == free) == 0
    assert count(AdaptedModel, AdaptedModel.id == kept) == 1
    assert count(DatasetItem, DatasetItem.dataset_id == free) == 0


def test_items_that_deleting_left_go_at_once_and_the_row_stays(rows, count, pruned):
    dataset = rows.dataset(deleted_at=utcnow())
    rows.picture(dataset, b"a", status="rejected")
    assert pruned()["deleted datasets"] == 0
    assert count(DatasetItem, DatasetItem.dataset_id == dataset) == 0
    assert count(Dataset, Dataset.id == dataset) == 1


def test_deleted_webhooks_go_once_no_message_names_them(rows, count, pruned):
    rows.webhook()
    rows.webhook(deleted_at=OLD)
    rows.delivery(rows.webhook(deleted_at=OLD))
    assert pruned()["deleted webhooks"] == 1
    assert count(Webhook) == 2


def test_postgresql_takes_the_same_statements(postgres_url, storage, settings):
    upgrade(postgres_url)
    database = Database(postgres_url)
    try:
        for remove in (False, True):
            assert not any(prune(database, storage, settings, utcnow(), remove=remove).values())
    finally:
        database.dispose()


def test_exports_are_kept_for_a_while(pruned, storage, settings, tmp_path):
    for name in ("old", "new"):
        storage.put_stream(f"exports/mdl_{name}/numpy-1/README.md", [b"x"])
    written = storage.local("exports/mdl_old/numpy-1/README.md")
    moment = time.time() - 86_400 * settings.keep_exports_days - 60
    os.utime(written, (moment, moment))
    assert pruned(remove=False)["exports"] == 1
    assert pruned()["exports"] == 1
    assert storage.names("exports") == ["mdl_new"]


def test_exports_that_an_older_version_did_not_count_are_counted(pruned, storage, rows, get):
    model_id = rows.model()
    storage.put_stream(f"exports/{model_id}/numpy-1/README.md", [b"12345"])
    pruned(remove=False)
    assert get(AdaptedModel, model_id).exports_bytes == 0
    pruned()
    assert get(AdaptedModel, model_id).exports_bytes == 5
