from sqlalchemy import select

from store import job_counts
from store.job_counts import by_status, correct
from store.observations import sum_up
from store.retention import forget_job
from store.tables import Job, Observation


def counts(database, owner=None):
    with database.read() as session:
        return by_status(session, owner)


def test_jobs_are_counted_as_they_come_change_and_go(rows, database):
    rows.job(owner="a")
    ended = rows.job("running", "succeeded", owner="a")
    rows.job("running", "failed", "queued", owner="b")
    for _ in range(2):
        assert counts(database) == {"queued": 2, "succeeded": 1}
        assert counts(database, "a") == {"queued": 1, "succeeded": 1}
        with database.write() as session:
            sum_up(session)
    with database.write() as session:
        forget_job(session, session.get_one(Job, ended))
        sum_up(session)
    assert counts(database) == {"queued": 2}
    with database.read() as session:
        assert len(session.scalars(select(Observation).where(Observation.metric == "jobs")).all()) == 2


def test_what_a_version_without_counts_changed_is_counted_later(rows, database):
    job_id = rows.job()
    rows.job()
    with database.write() as session:
        session.get_one(Job, job_id).status = "cancelled"
    assert counts(database) == {"queued": 2}
    for _ in range(2):
        correct(database)
        assert counts(database) == {"queued": 1, "cancelled": 1}


def test_two_reapers_that_see_the_same_correct_it_once(rows, database, monkeypatch):
    job_id = rows.job()
    with database.write() as session:
        session.get_one(Job, job_id).status = "cancelled"
    look = job_counts._missing

    def look_and_be_overtaken(session):
        found = look(session)
        monkeypatch.setattr(job_counts, "_missing", look)
        correct(database)
        return found

    monkeypatch.setattr(job_counts, "_missing", look_and_be_overtaken)
    correct(database)
    assert counts(database) == {"cancelled": 1}
