"""What a person should look at, written among a job's warnings, and told as events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from pouf_core.contract.findings import Finding
from store.tables import Dataset, Job
from store.transitions import append_event


def add_warnings(session: Session, job: Job, warnings: Iterable[Finding]) -> None:
    """Add those that the job does not have yet; the caller holds its row."""
    for warning in warnings:
        if warning not in job.result.warnings:
            job.result = job.result.model_copy(update={"warnings": [*job.result.warnings, warning]})
            append_event(session, job, "job.warning", warning.model_dump())


def data_warnings(datasets: Sequence[Dataset]) -> list[Finding]:
    """What ingestion has to say of a job's datasets."""
    return [Finding.model_validate(warning) for dataset in datasets for warning in dataset.warnings or []]
