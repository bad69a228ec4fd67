import itertools

import pytest

from store.database import Database
from store.tables import Job, JobEvent
from store.transitions import ALLOWED, FINAL, TransitionNotAllowed, transition
from tests.rows import PATHS

PAIRS = [(a, b) for a, b in itertools.product(sorted(ALLOWED), repeat=2) if a != b]


def read(database: Database, job_id: str) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


@pytest.mark.parametrize(("current", "wanted"), [pair for pair in PAIRS if pair[1] in ALLOWED[pair[0]]])
def test_an_allowed_transition_is_recorded(rows, database, current, wanted):
    job_id = rows.job(*PATHS[current])
    before = read(database, job_id)
    rows.move(job_id, wanted)
    job = read(database, job_id)
    assert job.status == wanted
    assert job.event_seq == before.event_seq + 1
    assert job.status_transitions[-1]["status"] == wanted
    assert (job.finished_at is not None) or wanted not in FINAL
    with database.read() as session:
        event = session.query(JobEvent).filter_by(job_id=job_id, seq=job.event_seq).one()
    assert event.type == f"job.{wanted}"


@pytest.mark.parametrize(("current", "wanted"), [pair for pair in PAIRS if pair[1] not in ALLOWED[pair[0]]])
def test_any_other_transition_is_refused_and_changes_nothing(rows, database, current, wanted):
    job_id = rows.job(*PATHS[current])
    before = read(database, job_id)
    with pytest.raises(TransitionNotAllowed, match=f"is {current} and cannot become {wanted}"):
        rows.move(job_id, wanted)
    after = read(database, job_id)
    assert (after.status, after.event_seq) == (current, before.event_seq)
    assert after.status_transitions == before.status_transitions


def test_a_change_of_stage_is_recorded_and_the_same_stage_is_not(rows, database):
    job_id = rows.job("running")
    rows.move(job_id, "running", "encoding")
    seq = read(database, job_id).event_seq
    rows.move(job_id, "running", "encoding")
    job = read(database, job_id)
    assert job.event_seq == seq
    assert [(entry["status"], entry["stage"]) for entry in job.status_transitions] == [
        ("queued", None),
        ("running", None),
        ("running", "encoding"),
    ]
    assert all(entry["at"].endswith("Z") for entry in job.status_transitions)


def test_the_lease_is_dropped_when_nobody_works_on_the_job_any_more(rows, database):
    job_id = rows.job("running")
    with database.write() as session:
        session.get_one(Job, job_id).lease_owner = "worker"
    with database.write() as session:
        transition(session, session.get_one(Job, job_id), "queued")
    job = read(database, job_id)
    assert (job.lease_owner, job.lease_expires_at) == (None, None)


def test_started_at_stays_that_of_the_first_attempt(rows, database):
    job_id = rows.job("running")
    first = read(database, job_id).started_at
    rows.move(job_id, "queued")
    rows.move(job_id, "running")
    assert read(database, job_id).started_at == first
