"""Where the items of a job lie, and the labels of those that have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from pouf_core.contract.findings import Finding
from store.dataset_items import by_content, labels_of, only_key
from store.job_datasets import datasets_of
from store.job_warnings import data_warnings
from store.storage import Storage
from store.tables import Dataset, DatasetItem, Job


@dataclass(frozen=True)
class TargetFiles:
    """What a job's datasets hold.

    Attributes:
        labels: content hash to evaluation label.
        pictures: content hash to storage key; ordered.
        texts, embeddings, class_features: the key of the one file of each, where there is one.
        warnings: what ingestion has to say of them.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    texts: str | None = None
    embeddings: str | None = None
    class_features: str | None = None
    warnings: Sequence[Finding] = ()

    @classmethod
    def of_job(cls, session: Session, job: Job) -> TargetFiles:
        """Look up what the job's datasets hold."""
        classes = job.class_features_dataset_id
        return replace(
            cls.of_items(session, job.dataset_id),
            labels=labels_of(session, job.dataset_id),
            warnings=data_warnings(datasets_of(session, job)),
            class_features=None if classes is None else _only_key(session, classes),
        )

    @classmethod
    def of_items(cls, session: Session, dataset_id: str) -> TargetFiles:
        """Look up what a dataset holds beside labels."""
        modality = session.get_one(Dataset, dataset_id).modality
        if modality == "image":
            return cls(pictures=by_content(session, dataset_id, DatasetItem.storage_key))
        items = _only_key(session, dataset_id)
        return cls(texts=items) if modality == "text" else cls(embeddings=items)

    def on_this_machine(self, storage: Storage) -> dict[str, Any]:
        """The fields of `JobSpec` that are about the target data, with files fetched where the storage is remote."""
        return {
            **self.items_on_this_machine(storage),
            "class_features": None if self.class_features is None else storage.local(self.class_features),
            "evaluation_labels": dict(self.labels),
            "data_warnings": list(self.warnings),
        }

    def items_on_this_machine(self, storage: Storage) -> dict[str, Any]:
        """The fields of `WorkSpec` that are about the items, likewise."""
        single = {"texts": self.texts, "embeddings": self.embeddings}
        files: dict[str, Path | None] = {
            name: None if key is None else storage.local(key) for name, key in single.items()
        }
        pictures = {sha256: storage.local(key) for sha256, key in self.pictures.items()}
        return {"pictures": pictures, **files}


def _only_key(session: Session, dataset_id: str) -> str:
    key = only_key(session, dataset_id)
    assert key is not None  # a dataset without items is not ready
    return key
