"""The items of a dataset: what they may be, and which base model takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pouf_core.contract.base_model import BaseModelDescription, Modality
from pouf_core.contract.wording import Wording
from pouf_core.data.file_kinds import EMBEDDING_SUFFIXES, LABELS_FILE, PARQUET_SUFFIX, TEXT_SUFFIXES, unpacked_name
from pouf_core.errors import InvalidInput

#: What a dataset is said to hold. With `auto` ingestion tells from the uploaded files.
RequestedModality = Literal["image", "text", "embedding", "auto"]


def modality_of(requested: RequestedModality, file_names: Iterable[str]) -> Modality | None:
    """What a dataset holds: as requested, and with `auto` what all its files are files of, else pictures.

    A table of labels beside them does not count; alone it names pictures. Files of parquet alone may hold texts or
    embeddings, and their names do not tell: None.
    """
    if requested != "auto":
        return requested
    names = {unpacked_name(name.lower()) for name in file_names} - {LABELS_FILE}
    if names and all(name.endswith(PARQUET_SUFFIX) for name in names):
        return None
    if names and all(name.endswith(EMBEDDING_SUFFIXES) for name in names):
        return "embedding"
    return "text" if names and all(name.endswith(TEXT_SUFFIXES) for name in names) else "image"


def check_dataset_items(
    base: BaseModelDescription, wording: Wording | None, modality: RequestedModality, are_pairs: bool | None
) -> None:
    """Refuse a dataset that the base model, or its template, does not take, as far as is known of the dataset.

    Args:
        base: the base model.
        wording: None where the request is wrong, and then nothing is said of pairs.
        modality: of the dataset.
        are_pairs: whether its items are pairs of texts; None as long as it is not ingested.

    Raises:
        InvalidInput: `wrong_modality`, or as `Wording.check_texts`.
    """
    if modality not in (base.modality, "auto"):
        message = f"The dataset holds {modality} items and the base model takes {base.modality} items."
        raise InvalidInput("wrong_modality", message)
    if modality == "text" and wording is not None and are_pairs is not None:
        wording.check_texts(base, are_pairs)
