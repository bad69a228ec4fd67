"""Reading the files of a dataset again, where they were read otherwise than they are meant."""

from app.caller import Caller
from app.datasets import queries as repository
from app.datasets.schemas import DatasetDocument, ReadingOptions
from app.datasets.service import begin_ingestion, get, show
from app.http.errors import conflict
from app.state import require_space
from store.storage_keys import embeddings_key, texts_key
from store.tables import Dataset


def read_again(caller: Caller, dataset_id: str, options: ReadingOptions) -> DatasetDocument:
    """Start reading the uploaded files anew; what was found before is forgotten.

    Asked for the same again meanwhile, nothing changes.

    Raises 404 ``dataset_not_found``; 409 ``dataset_not_finalized`` or ``dataset_being_read``, which pass, or
    ``dataset_in_use`` where jobs or batch predictions rest on what was found; 507.
    """
    require_space(caller.state)
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        dataset = get(scope, dataset_id, lock=True)
        if dataset.status == "ingesting" and _said(dataset) == options:
            return show(scope, dataset)
        _require_readable(dataset, repository.was_used(scope, dataset_id))
        outdated = [key(dataset_id, dataset.fence) for key in (texts_key, embeddings_key)]
        _forget_findings(dataset)
        dataset.modality = options.modality
        dataset.text_column, dataset.label_column = options.text_column, options.label_column
        dataset.labels, dataset.text_options = options.labels, options.text_options.model_dump()
        begin_ingestion(caller, session, dataset)
        document = show(scope, dataset)
    for key in outdated:
        caller.state.storage.discard(key.rpartition("/")[0])
    caller.state.publisher.wake()
    return document


def may_be_read_again(caller: Caller, document: DatasetDocument) -> bool:
    """Tell whether `read_again` would take the dataset."""
    if document.status == "failed":
        return True
    with caller.state.database.read() as session:
        return document.status == "ready" and not repository.was_used(caller.scope(session), document.id)


def _said(dataset: Dataset) -> ReadingOptions:
    return ReadingOptions(
        modality=dataset.modality,
        text_column=dataset.text_column,
        label_column=dataset.label_column,
        labels=dataset.labels,
        **(dataset.text_options or {}),
    )


def _require_readable(dataset: Dataset, was_used: bool) -> None:
    if dataset.status == "uploading":
        raise conflict("dataset_not_finalized", "Finalize the dataset first: POST …/finalize.", retry=True)
    if dataset.status == "ingesting":
        raise conflict("dataset_being_read", "The dataset is being read; wait until it is ready.", retry=True)
    if dataset.status == "ready" and was_used:
        message = "Jobs or predictions were made of the dataset as it was read. Delete them, or upload the files again."
        raise conflict("dataset_in_use", message)


def _forget_findings(dataset: Dataset) -> None:
    """Forget all that ingestion said; its rows of items go when the next one begins."""
    dataset.error_code = dataset.error_message = dataset.fingerprint = dataset.ready_at = None
    dataset.readings = dataset.rejections = dataset.candidates = dataset.warnings = dataset.label_source = None
    dataset.suggested_class_names = dataset.skipped = dataset.embedding_width = dataset.embedding_templates = None
    dataset.item_count = dataset.duplicate_count = dataset.rejected_count = dataset.labelled_count = 0
    dataset.text_pairs = False
