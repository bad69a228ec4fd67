"""How ingestion ends, as changes of rows: the dataset becomes ready or failed, and waiting jobs are queued or fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import islice

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from pouf_core.contract.base_model import BY_MODALITY
from pouf_core.contract.dataset_items import check_dataset_items
from pouf_core.contract.embedding_data import check_class_features_modality, check_embeddings
from pouf_core.contract.findings import listed
from pouf_core.data.items import fingerprint_of_hashes
from pouf_core.data.labels.labelling import CONFLICTING_LABELS, Labelling
from pouf_core.data.text_tables import AmbiguousTable
from pouf_core.data.uploads.collector import Collector, Description
from pouf_core.errors import InvalidInput
from pouf_core.families.default_base_model import settle_base_model
from pouf_core.families.registry import describe
from store.clock import utcnow
from store.database import Database
from store.job_datasets import all_ready, datasets_of, needs
from store.job_warnings import add_warnings, data_warnings
from store.leases import Lease, fenced
from store.queues import enqueue_training
from store.tables import Dataset, DatasetItem, Job
from store.transitions import lock_job
from worker.ingestion.turns import wake_next
from worker.training import attempts

LABEL_BATCH = 5000


def finish_ingestion(session: Session, dataset: Dataset, found: Collector, labelling: Labelling) -> None:
    """Write down what was found, labels aside: the dataset becomes ready, or failed when nothing can be used."""
    dataset.item_count = len(found.accepted)
    dataset.duplicate_count = found.duplicates
    dataset.rejected_count = found.rejected
    dataset.skipped = dict(found.skipped)
    dataset.rejections = [group.model_dump() for group in found.losses.groups()]
    warnings = [*found.warnings(), *labelling.warnings]
    dataset.warnings = [warning.model_dump() for warning in warnings]
    _describe(dataset, found.description())
    if not found.accepted:
        failure = found.failure()
        if isinstance(failure, AmbiguousTable):
            dataset.candidates = [candidate.model_dump() for candidate in failure.candidates]
        fail_dataset(session, dataset, failure.code, failure.message)
        return
    dataset.modality = found.modality
    dataset.fingerprint = fingerprint_of_hashes(found.accepted)
    dataset.labelled_count = len(labelling.single)
    dataset.label_source = labelling.source.model_dump()
    dataset.suggested_class_names = labelling.suggested
    ready_dataset(session, dataset)


def _describe(dataset: Dataset, known: Description) -> None:
    dataset.text_pairs = known.text_pairs
    dataset.readings = [reading.model_dump() for reading in known.readings]
    dataset.embedding_width = known.embedding_width
    dataset.embedding_templates = known.embedding_templates


def ready_dataset(session: Session, dataset: Dataset) -> None:
    """The dataset can be used and never changes again; wake the jobs that waited for it."""
    dataset.status = "ready"
    dataset.ready_at = utcnow()
    _give_up_lease(session, dataset)
    for job_id in _waiting_jobs(session, dataset):
        job = lock_job(session, job_id)
        datasets = datasets_of(session, job)
        try:
            _check_items(job, datasets)
        except InvalidInput as error:
            if job.status == "queued":
                attempts.fail(session, job, error.code, error.message)
            continue
        add_warnings(session, job, data_warnings([dataset]))
        if all_ready(datasets):
            enqueue_training(session, job_id)


def fail_dataset(session: Session, dataset: Dataset, code: str, message: str) -> None:
    """The dataset cannot be used; fail the jobs that waited for it."""
    dataset.status = "failed"
    dataset.error_code = code
    dataset.error_message = message
    _give_up_lease(session, dataset)
    for job_id in _waiting_jobs(session, dataset):
        job = lock_job(session, job_id)
        if job.status == "queued":
            attempts.fail_for_dataset(session, job, dataset)


def _check_items(job: Job, datasets: Sequence[Dataset]) -> None:
    """Check what is known now that one of the datasets has become ready, and choose the base model by its items."""
    dataset, *class_features = datasets
    job.request = settle_base_model(job.request, dataset.modality)
    if job.request.base_model == BY_MODALITY:
        return
    base = describe(job.request.base_model)
    if dataset.modality == "embedding":
        base = base.over_embeddings()
    request = job.request.check(base)
    pairs = dataset.text_pairs if dataset.status == "ready" else None
    check_dataset_items(base, request.wording, dataset.modality, pairs)
    check_embeddings(len(request.classes), dataset.embeddings, *(each.embeddings for each in class_features))
    for given in class_features:
        check_class_features_modality(given.modality)


def _give_up_lease(session: Session, dataset: Dataset) -> None:
    dataset.lease_owner = None
    dataset.lease_expires_at = None
    wake_next(session, dataset)


def _waiting_jobs(session: Session, dataset: Dataset) -> list[str]:
    session.flush()
    query = select(Job.id).where(needs(dataset.id), Job.status == "queued")
    return list(session.scalars(query.order_by(Job.queued_at)).all())


def write_labels(database: Database, lease: Lease[Dataset], labels: Mapping[str, Set[str]]) -> None:
    """Label the accepted items, some thousands a transaction, so that nobody waits long to write.

    An item with two labels keeps none and says so in its code.

    Raises:
        LeaseLost: somebody else ingests the dataset.
    """
    of_item = (DatasetItem.dataset_id == lease.row_id, DatasetItem.sha256 == bindparam("key"))
    change = update(DatasetItem).where(*of_item, DatasetItem.status == "accepted")
    change = change.values(label=bindparam("new_label"), code=bindparam("new_code"), message=bindparam("new_message"))
    rest = iter(labels.items())
    while part := list(islice(rest, LABEL_BATCH)):
        with database.write() as session:
            fenced(session, lease)
            session.connection().execute(change, [_labelled(key, names) for key, names in part])


def _labelled(key: str, names: Set[str]) -> dict[str, str | None]:
    if len(names) == 1:
        return {"key": key, "new_label": min(names), "new_code": None, "new_message": None}
    message = f"Labels contradict each other and are not used: {listed(sorted(names))}"
    return {"key": key, "new_label": None, "new_code": CONFLICTING_LABELS, "new_message": message}
