from datetime import timedelta

import pytest
from sqlalchemy import func, select

from store.clock import utcnow
from store.database import Database, upgrade
from store.observations import Total, count, observe, sum_up, totals
from store.tables import Job, Observation


@pytest.fixture(params=["sqlite", "postgresql"])
def counting(request, database):
    if request.param == "sqlite":
        yield database
        return
    url = request.getfixturevalue("postgres_url")
    upgrade(url)
    made = Database(url)
    yield made
    made.dispose()


def read(database):
    with database.read() as session:
        return list(totals(session))


def test_what_was_counted_is_the_same_once_it_is_summed_up(counting):
    for _ in range(2):
        with counting.write() as session:
            count(session, "job_failures", "worker_lost")
            count(session, "owner_job_seconds", "team", 2.5)
            for seconds in (0.5, 1, 1.5, 1e6):
                observe(session, "job_seconds", "succeeded", seconds)
        before = read(counting)
        with counting.write() as session:
            sum_up(session)
        assert read(counting) == before
    assert before == [
        Total("job_failures", "worker_lost", "", 2, 2.0),
        Total("job_seconds", "succeeded", "1", 4, 3.0),
        Total("job_seconds", "succeeded", "5", 2, 3.0),
        Total("job_seconds", "succeeded", "inf", 2, 2e6),
        Total("owner_job_seconds", "team", "", 2, 5.0),
    ]
    with counting.read() as session:
        assert session.scalar(select(func.count()).select_from(Observation)) == len(before)


def test_an_event_that_is_rolled_back_is_not_counted(database):
    with pytest.raises(ZeroDivisionError), database.write() as session:
        count(session, "job_failures", "worker_lost")
        raise ZeroDivisionError
    assert read(database) == []


def counted(database):
    return {(each.metric, each.label): (each.events, each.total) for each in read(database)}


def test_a_job_counts_its_wait_its_run_and_its_owners_use(rows, database):
    job_id = rows.job(owner="team", queued_at=utcnow() - timedelta(seconds=40))
    rows.move(job_id, "running", "encoding")
    with database.write() as session:
        job = session.get_one(Job, job_id)
        started = (utcnow() - timedelta(seconds=100)).isoformat()
        job.status_transitions = [{"status": "running", "stage": None, "at": started}]
    rows.move(job_id, "running", "training")
    rows.move(job_id, "succeeded")
    found = counted(database)
    assert found.keys() == {("job_wait_seconds", ""), ("job_seconds", "succeeded"), ("owner_job_seconds", "team")}
    assert found["job_wait_seconds", ""] == (1, pytest.approx(40, abs=5))
    assert found["job_seconds", "succeeded"] == (1, pytest.approx(100, abs=5))
    assert found["owner_job_seconds", "team"] == (1, pytest.approx(100, abs=5))


def test_a_failure_counts_under_its_code(rows, database):
    job_id = rows.job("running")
    with database.write() as session:
        session.get_one(Job, job_id).error_code = "out_of_memory"
    rows.move(job_id, "failed")
    assert counted(database)["job_failures", "out_of_memory"] == (1, 1.0)
