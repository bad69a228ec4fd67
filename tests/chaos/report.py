"""What a run has shown: how much was injected, and whether anything was lost, made twice or different."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select

from store.database import Database
from store.tables import AdaptedModel, Job, JobEvent
from tests.chaos.workload import Submission


@dataclass
class Report:
    """The figures of one run.

    Attributes:
        faults: how many of each kind were injected.
        without_target: how many of each kind found nothing to hurt in time, which count nowhere else.
        submitted: jobs that users were told of.
        finished: those of them whose model came back.
        lost: those that failed or never ended.
        duplicated: models beyond one a job, and jobs beyond one a submission.
        equal: finished jobs whose weights are, bit for bit, those of the same job left in peace.
        unequal: those whose weights are others.
        attempts: that all jobs took together.
        lost_in_a_row: most attempts that one job lost without a new checkpoint between them.
        errors: what users were told where a job did not get through.
        seconds: that the faults were injected over.
        settings: how it was run.
    """

    settings: dict[str, object]
    faults: Counter[str] = field(default_factory=Counter)
    without_target: Counter[str] = field(default_factory=Counter)
    submitted: int = 0
    finished: int = 0
    lost: int = 0
    duplicated: int = 0
    equal: int = 0
    unequal: int = 0
    attempts: int = 0
    lost_in_a_row: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def injected(self) -> int:
        return self.faults.total()

    @property
    def flawless(self) -> bool:
        """Whether nothing was lost, duplicated or different."""
        return not (self.lost or self.duplicated or self.unequal or self.errors)

    def count(self, submissions: Sequence[Submission], references: Sequence[str]) -> None:
        """Add up what users saw."""
        known = [one for one in submissions if one.job_id is not None]
        finished = [one for one in known if one.weights is not None]
        self.submitted, self.finished = len(known), len(finished)
        self.lost = self.submitted - self.finished
        self.equal = sum(one.weights == references[one.task] for one in finished)
        self.unequal = self.finished - self.equal
        self.attempts = sum(one.attempts for one in finished)
        self.errors = [f"job {one.number}: {one.error}" for one in submissions if one.error is not None]

    def look_into(self, database: Database) -> None:
        """Add what the database knows better than users."""
        with database.read() as session:
            jobs = session.scalar(select(func.count()).select_from(Job)) or 0
            models = session.scalar(select(func.count()).select_from(AdaptedModel)) or 0
            with_models = session.scalar(select(func.count(AdaptedModel.job_id.distinct()))) or 0
            submissions = session.scalar(select(func.count(Job.name.distinct()))) or 0
            rows = session.execute(select(JobEvent.job_id, JobEvent.type, JobEvent.data).order_by(JobEvent.seq)).all()
        self.duplicated = (models - with_models) + (jobs - submissions)
        in_a_row: Counter[str] = Counter()
        for job_id, kind, data in rows:
            if kind == "job.checkpoint":
                in_a_row[job_id] = 0
            elif kind == "job.queued" and data.get("reason") == "attempt_lost":
                in_a_row[job_id] += 1
                self.lost_in_a_row = max(self.lost_in_a_row, in_a_row[job_id])

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        # not `asdict`, which cannot copy a Counter
        return {"injected": self.injected, **vars(self)}

    def table(self) -> str:
        """For people."""
        width = max(len(name) for name in [*self.faults, *self.without_target, "lost attempts in a row, at most"]) + 2
        lines = [f"{name:<{width}}{count:>6}" for name, count in sorted(self.faults.items())]
        lines += [f"{'faults injected':<{width}}{self.injected:>6}", ""]
        figures = {
            "jobs submitted": self.submitted,
            "finished": self.finished,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "weights equal": self.equal,
            "weights different": self.unequal,
            "attempts": self.attempts,
            "lost attempts in a row, at most": self.lost_in_a_row,
            "seconds": round(self.seconds),
        }
        lines += [f"{name:<{width}}{count:>6}" for name, count in figures.items()]
        if self.without_target:
            lines += [
                "",
                "Not injected because there was no target: " + ", ".join(map(str, self.without_target.items())),
            ]
        return "\n".join([*lines, *self.errors])
