"""What a run over a caller's own embeddings starts with: their items, and the classes in their space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy.typing as npt
import torch

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.contract.base_model import Modality
from pouf_core.contract.dataset_items import modality_of, modality_of_members
from pouf_core.contract.embedding_data import check_same_width, class_features_missing, class_features_not_used
from pouf_core.contract.labels import LabelsWanted
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.class_features import FIELD, class_feature_vectors
from pouf_core.data.embeddings import EmbeddingItems, collect_embeddings, is_array
from pouf_core.data.items import Data, Item
from pouf_core.data.labelled_items import LabelledItems, collect_labelled
from pouf_core.data.labels.labelling import Labelling
from pouf_core.data.losses import Rejected
from pouf_core.data.source_files import file_names
from pouf_core.data.source_tables import holds_tables_of_pictures
from pouf_core.data.text_files import AS_TOLD, TextOptions
from pouf_core.data.texts import TextItem
from pouf_core.families.cosine.features_model import FeaturesModel, class_features_classifier
from pouf_core.families.features import FEATURES
from pouf_core.families.interface import BaseModel
from pouf_core.families.registry import describe
from pouf_core.scoring import CosineClassifier

TargetData = Data | npt.NDArray[Any] | torch.Tensor
"""Items as callers give them, or embeddings [n, d]."""
_OF_TABLES: Modality = "text"  # the library takes embeddings as arrays alone


def holds_embeddings(data: TargetData) -> bool:
    """Whether the data is embeddings, not items."""
    return is_array(data) or isinstance(data, EmbeddingItems)


def modality_of_data(data: TargetData) -> Modality:
    """What data holds, for requests that name no base model: that of the files of a path, or of the first of a list.

    Strings in a list are paths of pictures, not texts: they are told apart by nothing but the base model.
    """
    if holds_embeddings(data):
        return "embedding"
    if isinstance(data, str | Path):
        told = modality_of("auto", file_names(Path(data)))
        told = told or modality_of_members(file_names(Path(data), inside=True))
        return told or ("image" if holds_tables_of_pictures(Path(data)) else _OF_TABLES)
    first = data[0] if isinstance(data, Sequence) and len(data) else None
    if isinstance(first, Path):
        return modality_of("auto", [first.name]) or _OF_TABLES
    source = first.source if isinstance(first, Item) else first
    return "text" if isinstance(source, TextItem) else "image"


def collect(data: TargetData, modality: Modality) -> tuple[Sequence[Item], list[Rejected]]:
    """As `collect_items`, and embeddings as `collect_embeddings`."""
    found = collect_with_labels(data, modality, AS_TOLD, "none")
    return found.items, found.rejected


def collect_with_labels(
    data: TargetData, modality: Modality, options: TextOptions, labels: LabelsWanted
) -> LabelledItems:
    """As `collect_labelled`, and embeddings as `collect_embeddings`."""
    if modality != "embedding":
        return collect_labelled(cast(Data, data), modality, options, labels)
    found = collect_embeddings(data)
    return LabelledItems(found.items, found.rejected(), Labelling())


def given_classes(class_features: Any, request: CheckedRequest, items: Sequence[Item]) -> CosineClassifier | None:
    """The classifier of the caller's class features; None where the base model makes its own.

    Args:
        class_features: as in `RunOptions`.
        request: the K classes and the scale.
        items: the target data.

    Raises:
        InvalidInput: `class_features_missing`, `class_features_not_used`, `class_features_width`, or as
            `class_feature_vectors`.
    """
    base = request.base
    if not base.takes_class_features:
        if class_features is not None:
            raise class_features_not_used(base.name, FIELD)
        return None
    if class_features is None:
        raise class_features_missing(base.name, FIELD)
    vectors = class_feature_vectors(class_features, len(request.classes))
    check_same_width(cast(EmbeddingItems, items).width, vectors.shape[1], FIELD)
    assert request.logit_scale is not None  # the check of a request gives it
    return class_features_classifier(vectors, request.logit_scale)


def base_over_embeddings(
    base: BaseModel, given: CosineClassifier | None, inputs: RunInputs, device: torch.device
) -> FeaturesModel:
    """The base model whose items are embeddings.

    Args:
        base: the base model that the request names.
        given: the caller's class features; None to let the base model's text tower make them.
        inputs: the classes and the data.
        device: where it runs.

    Raises:
        InvalidInput: `class_features_width`, or the base model cannot take a class name or a template.
    """
    classes = given or _by_text_tower(base, inputs.request)
    check_same_width(cast(EmbeddingItems, inputs.items).width, classes.prototypes.shape[1], "/base_model")
    return FeaturesModel(describe(FEATURES.name), device, classes)


def _by_text_tower(base: BaseModel, request: CheckedRequest) -> CosineClassifier:
    own = cast(CosineClassifier, base.prompted(request).zero_shot())  # language models were refused before
    if request.logit_scale is None:
        return own
    return CosineClassifier(own.prototypes, torch.tensor(math.log(request.logit_scale)))
