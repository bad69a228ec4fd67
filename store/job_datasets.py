"""The datasets that a job needs: the target data and, where its classes are a caller's vectors, the class features."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from store.tables import Dataset, Job


def needs(dataset_id: str) -> ColumnElement[bool]:
    """Whether a job needs the dataset."""
    return or_(Job.dataset_id == dataset_id, Job.class_features_dataset_id == dataset_id)


def datasets_of(session: Session, job: Job, *, lock: bool = False) -> list[Dataset]:
    """The one or two datasets of a job, the target data first."""
    ids = [job.dataset_id, *([job.class_features_dataset_id] if job.class_features_dataset_id else [])]
    if lock:  # always in the same order, whoever asks
        session.execute(select(Dataset.id).where(Dataset.id.in_(ids)).order_by(Dataset.id).with_for_update())
    return [session.get_one(Dataset, dataset_id) for dataset_id in ids]


def all_ready(datasets: Sequence[Dataset]) -> bool:
    """Whether a job over these need not wait for them."""
    return all(dataset.status == "ready" for dataset in datasets)


def are_decided() -> ColumnElement[bool]:
    """Whether a job is kept waiting by no dataset: all are ready, or one has failed."""
    own, classes = aliased(Dataset), aliased(Dataset)
    target = exists().where(own.id == Job.dataset_id)
    class_features = exists().where(classes.id == Job.class_features_dataset_id)
    return or_(
        target.where(own.status == "failed"),
        class_features.where(classes.status == "failed"),
        and_(
            target.where(own.status == "ready"),
            or_(Job.class_features_dataset_id.is_(None), class_features.where(classes.status == "ready")),
        ),
    )
