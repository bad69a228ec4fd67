"""What metrics count of events that happen in any process: added with the event, summed up for reading.

A count in the transaction of its event is neither lost nor made twice, and outlasts the rows that the event is about.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.ids import new_id
from store.tables import Observation

MetricName: TypeAlias = Literal["job_seconds", "job_wait_seconds", "job_failures", "owner_job_seconds", "webhooks"]
#: Jobs by owner and status, which `store.job_counts` reads.
JOBS = "jobs"
#: Upper bounds of durations, in seconds: what jobs take lies between a second and days.
BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, math.inf)


@dataclass(frozen=True)
class Total:
    """All events of one label, and of one bucket where there are any."""

    metric: str
    label: str
    bucket: str
    events: int
    total: float


def count(session: Session, metric: MetricName, label: str, amount: float = 1.0) -> None:
    """Add an event that counts `amount`."""
    add(session, [Total(metric, label, "", 1, amount)])


def observe(session: Session, metric: MetricName, label: str, seconds: float) -> None:
    """Add an event that took so many seconds."""
    seconds = max(seconds, 0.0)  # a clock may have been set back
    add(session, [Total(metric, label, str(BUCKETS[bisect.bisect_left(BUCKETS, seconds)]), 1, seconds)])


def totals(session: Session) -> Sequence[Total]:
    """Everything that was ever counted but jobs by status, a row for each metric, label and bucket."""
    key = (Observation.metric, Observation.label, Observation.bucket)
    query = select(*key, func.sum(Observation.events), func.sum(Observation.total)).where(Observation.metric != JOBS)
    return [
        Total(metric, label, bucket, int(events), float(total))
        for metric, label, bucket, events, total in session.execute(query.group_by(*key).order_by(*key))
    ]


def sum_up(session: Session) -> None:
    """Put a row for each metric, label and bucket in the place of all that there are; none where nothing is left."""
    gone = session.execute(
        delete(Observation).returning(
            Observation.metric, Observation.label, Observation.bucket, Observation.events, Observation.total
        )
    )
    sums: defaultdict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0])
    for metric, label, bucket, events, total in gone:
        found = sums[metric, label, bucket]
        found[0] += events
        found[1] += total
    add(session, (Total(*key, int(events), total) for key, (events, total) in sums.items() if events))


def add(session: Session, rows: Iterable[Total]) -> None:
    """Add events as they are."""
    session.add_all(Observation(id=new_id("obs"), **vars(row)) for row in rows)
