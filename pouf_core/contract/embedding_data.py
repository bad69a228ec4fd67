"""What is known of datasets of embeddings once they are ingested, and whether they fit a job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pouf_core.contract.counts import counted
from pouf_core.contract.problems import Problems
from pouf_core.errors import InvalidInput

CLASS_FEATURES_FIELD = "/class_features_dataset_id"


@dataclass(frozen=True)
class EmbeddingData:
    """A dataset of embeddings.

    Attributes:
        rows: rows that can be used, repeated ones included.
        rejected: rows and files that cannot.
        width: numbers of a vector.
        templates: T where it was uploaded as [T, K, d], else None.
    """

    rows: int
    rejected: int
    width: int
    templates: int | None


def check_embeddings(class_count: int, data: EmbeddingData | None, class_features: EmbeddingData | None = None) -> None:
    """Refuse datasets of embeddings that do not fit the job, or each other, as far as is known of them.

    Args:
        class_count: K.
        data: the target data; None as long as it is not ingested, and where it holds no embeddings.
        class_features: the class features, likewise.

    Raises:
        InvalidRequest: `embedding_shape`, `class_features_rejected`, `class_features_count`, `class_features_width`.
    """
    problems = Problems()
    if data is not None:
        problems.attempt(partial(_check_target_data, data))
    if class_features is not None:
        problems.attempt(partial(_check_class_features, class_features, class_count))
        if data is not None:
            problems.attempt(partial(check_same_width, data.width, class_features.width, CLASS_FEATURES_FIELD))
    problems.raise_any()


def check_class_features_modality(modality: str) -> None:
    """Refuse class features that are pictures or texts; `auto` is one that is not known yet.

    Raises:
        InvalidInput: `wrong_modality`.
    """
    if modality not in ("embedding", "auto"):
        message = f"Class features are a dataset of embeddings, and this one holds {modality} items."
        raise InvalidInput("wrong_modality", message, field=CLASS_FEATURES_FIELD)


def _check_target_data(data: EmbeddingData) -> None:
    """Refuse target data that only class features can be."""
    if data.templates is not None:
        message = "The dataset was uploaded as an array of three dimensions, which only class features are; use [n, d]."
        raise InvalidInput("embedding_shape", message, field="/dataset_id")


def _check_class_features(data: EmbeddingData, class_count: int) -> None:
    """Refuse class features that are not one vector for each class, or one for each template and class."""
    if data.rejected:
        message = (
            f"The dataset has {counted(data.rejected, 'rejected row or file', 'rejected rows or files')}, so "
            "that its rows are not those of the classes; its rejected items say why."
        )
        raise InvalidInput("class_features_rejected", message, field=CLASS_FEATURES_FIELD)
    templates, left = divmod(data.rows, class_count)
    if left or data.templates not in (None, templates):
        shape = f"{data.rows}" if data.templates is None else f"{data.templates} × {data.rows // data.templates}"
        message = (
            f"Class features: {shape}, for {counted(class_count, 'class')}. Give one for each, in the order of "
            "class_names, or T × K for T templates."
        )
        raise InvalidInput("class_features_count", message, field=CLASS_FEATURES_FIELD)


def check_same_width(width: int, class_width: int, field: str) -> None:
    """Refuse vectors and class features of different width.

    Raises:
        InvalidInput: `class_features_width`.
    """
    if width != class_width:
        message = (
            f"The embeddings have {width} numbers each and the class features {class_width}: both must come from one "
            "model."
        )
        raise InvalidInput("class_features_width", message, field=field)


def class_features_not_used(name: str, field: str) -> InvalidInput:
    """The refusal of class features for a base model that makes its own."""
    message = f"{name} makes its own class features; leave these out, or use base model `features`."
    return InvalidInput("class_features_not_used", message, field=field)


def class_features_missing(name: str, field: str) -> InvalidInput:
    """The refusal of embeddings without class features, for a base model that makes none."""
    message = (
        f"{name} needs class features: a vector for each class, made by the text tower of the model that made the "
        "embeddings. Give them, or name that model as base_model."
    )
    return InvalidInput("class_features_missing", message, field=field)
