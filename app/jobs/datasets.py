"""The datasets that a new job names: found, and checked against the rest of its body and each other."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import select

from app.jobs.schemas import JobCreate
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.dataset_items import RequestedModality, check_dataset_items, modality_of
from pouf_core.contract.embedding_data import (
    CLASS_FEATURES_FIELD,
    check_class_features_modality,
    check_embeddings,
    class_features_missing,
    class_features_not_used,
)
from pouf_core.contract.problems import Problems
from pouf_core.contract.request import CheckedRequest
from pouf_core.errors import InvalidInput
from store.scope import Scope
from store.tables import Dataset, Upload


def find(
    scope: Scope, body: JobCreate, base: BaseModelDescription | None, request: CheckedRequest | None
) -> tuple[Sequence[Dataset], list[InvalidInput]]:
    """Return the datasets, locked, and what is wrong with them.

    Args:
        scope: the owner's.
        body: the job's.
        base: its base model, None where it is unknown.
        request: None where anything is wrong with the body.
    """
    # locked, so that a dataset that becomes ready now is seen either here or by the one who makes it ready
    names = {name for name in (body.dataset_id, body.class_features_dataset_id) if name is not None}
    found = {name: scope.get(Dataset, name, lock=True) for name in sorted(names)}
    problems = Problems()
    dataset, class_features = found[body.dataset_id], None
    if dataset is None:
        problems.found.append(_unknown(body.dataset_id, "/dataset_id"))
    elif base is not None:
        problems.attempt(partial(_check_dataset, scope, dataset, base, request), "/dataset_id")
    if body.class_features_dataset_id is not None:
        class_features = found[body.class_features_dataset_id]
        if class_features is None:
            problems.found.append(_unknown(body.class_features_dataset_id, CLASS_FEATURES_FIELD))
        else:
            problems.attempt(partial(check_class_features_modality, modality_of_dataset(scope, class_features)))
    problems.attempt(partial(_check_class_features_are_wanted, base, body))
    if request is not None and not problems.found and dataset is not None:
        given = class_features.embeddings if class_features is not None else None
        problems.attempt(partial(check_embeddings, len(request.classes), dataset.embeddings, given))
    return [each for each in (dataset, class_features) if each is not None], problems.found


def _unknown(dataset_id: str, field: str) -> InvalidInput:
    return InvalidInput("dataset_not_found", f"There is no dataset {dataset_id!r}.", field=field)


def modality_of_dataset(scope: Scope, dataset: Dataset) -> RequestedModality:
    """Return what a dataset holds, or will hold once it is ingested; `auto` while files may be added."""
    if dataset.modality != "auto" or dataset.status == "uploading":
        return dataset.modality
    names = scope.session.scalars(select(Upload.filename).where(Upload.dataset_id == dataset.id))
    return modality_of("auto", [name.replace("\\", "/").rpartition("/")[2] for name in names]) or "auto"


def _check_dataset(scope: Scope, dataset: Dataset, base: BaseModelDescription, request: CheckedRequest | None) -> None:
    wording = None if request is None else request.wording
    pairs = dataset.text_pairs if dataset.status == "ready" else None
    check_dataset_items(base, wording, modality_of_dataset(scope, dataset), pairs)


def _check_class_features_are_wanted(base: BaseModelDescription | None, body: JobCreate) -> None:
    given = body.class_features_dataset_id is not None
    if base is None or base.takes_class_features == given:
        return
    refused = class_features_not_used if given else class_features_missing
    raise refused(base.name, CLASS_FEATURES_FIELD)
