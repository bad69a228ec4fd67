"""How many jobs of each owner are in each status: counted as they change, as counting a year's rows takes seconds.

The counts are observations: an event is a job that came to a status, one of -1 a job that left it.
"""

from collections import Counter

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from store.database import Database
from store.locks import hold
from store.observations import JOBS, Total, add
from store.tables import Job, Observation


def count_change(session: Session, owner: str, before: str | None, after: str | None) -> None:
    """Count a job that goes from one status to another; None is before it is created, and after it is deleted."""
    changes = ((before, -1), (after, 1))
    add(session, [Total(JOBS, owner, status, number, number) for status, number in changes if status is not None])


def by_status(session: Session, owner: str | None = None) -> dict[str, int]:
    """Return how many jobs, of an owner or of all, are in each status that any is in."""
    query = select(Observation.bucket, func.sum(Observation.events)).where(Observation.metric == JOBS)
    query = query if owner is None else query.where(Observation.label == owner)
    counted = session.execute(query.group_by(Observation.bucket))
    # below 0 until `correct` has seen jobs of a version that did not count
    return {status: int(number) for status, number in counted if number > 0}


def correct(database: Database) -> None:
    """Make the counts equal to the rows, which versions without counts change too.

    One statement sees rows and counts at the same moment; what they differ by stays true whatever changes meanwhile,
    but for another reaper that corrects it too: so it is looked at once more before it is added.
    """
    with database.read() as session:
        differ = bool(_missing(session))
    if differ:
        with database.write() as session:
            hold(session, "correct job counts")
            add(session, _missing(session))


def _missing(session: Session) -> list[Total]:
    """What the counts lack, or have too much."""
    rows = select(Job.owner, Job.status, func.count()).group_by(Job.owner, Job.status)
    key = (Observation.label, Observation.bucket)
    counted = select(*key, -func.sum(Observation.events)).where(Observation.metric == JOBS).group_by(*key)
    missing: Counter[tuple[str, str]] = Counter()
    for owner, status, number in session.execute(union_all(rows, counted)):
        missing[owner, status] += int(number)
    return [Total(JOBS, *key, number, number) for key, number in missing.items() if number]
