"""The items of a dataset: what they may be, and which base model takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pouf_core.contract.base_model import BaseModelDescription, Modality
from pouf_core.contract.wording import Wording
from pouf_core.data.file_kinds import (
    COLUMN_SUFFIXES,
    EMBEDDING_SUFFIXES,
    LABELS_FILE,
    PARQUET_SUFFIX,
    PICTURE_SUFFIXES,
    RAW_SUFFIXES,
    TEXT_SUFFIXES,
    archive_kind_by_name,
    unpacked_name,
)
from pouf_core.errors import InvalidInput

#: What a dataset is said to hold. With `auto` ingestion tells from the uploaded files.
RequestedModality = Literal["image", "text", "embedding", "auto"]


def modality_of(requested: RequestedModality, file_names: Iterable[str]) -> Modality | None:
    """What a dataset holds: as requested, and with `auto` pictures where one is, else what most files are files of.

    A table of labels beside them does not count; alone it names pictures. Where the names do not tell, None: of
    tables of columns alone (Parquet, Arrow), which may hold anything, and of archives without pictures beside them.
    """
    if requested != "auto":
        return requested
    names = {unpacked_name(name.lower()) for name in file_names} - {LABELS_FILE}
    if names and all(name.endswith(COLUMN_SUFFIXES) for name in names):
        return None
    if any(map(archive_kind_by_name, names)) and not any(name.endswith(PICTURE_SUFFIXES) for name in names):
        return None
    if names and all(name.endswith(EMBEDDING_SUFFIXES) for name in names):
        return "embedding"
    if any(name.endswith((*PICTURE_SUFFIXES, *RAW_SUFFIXES)) for name in names):
        return "image"
    return modality_of_members(sorted(names)) or "image"


def modality_of_members(file_names: Iterable[str]) -> Modality | None:
    """What a dataset of these files holds, those in archives among them: pictures where there are any.

    Else embeddings or texts, of which there are more than files without a suffix; beside them lie descriptions
    and licences, which do not count. Tables of columns do not tell: None.
    """
    told = list[str]()
    for name in (unpacked_name(name.lower()) for name in file_names):
        if name.endswith(PICTURE_SUFFIXES):
            return "image"  # what follows in an archive may take long to pass over
        if name != LABELS_FILE:
            told.append(name)
    kinds = ((PARQUET_SUFFIX,), COLUMN_SUFFIXES, EMBEDDING_SUFFIXES, TEXT_SUFFIXES)
    parquet, tables, embeddings, texts = (_ending(told, suffixes) for suffixes in kinds)
    if tables and tables == texts and parquet == embeddings:
        return None
    if embeddings > parquet:
        return "embedding"
    return "text" if texts > sum("." not in name for name in told) else "image"


def _ending(names: Sequence[str], suffixes: tuple[str, ...]) -> int:
    return sum(name.endswith(suffixes) for name in names)


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
