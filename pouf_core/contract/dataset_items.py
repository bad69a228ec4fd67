"""The items of a dataset: what they may be, and which base model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.wording import check_text_items
from pouf_core.errors import InvalidInput

#: What a base model takes, and what a dataset holds once it is ingested.
Modality = Literal["image", "text"]
#: What a dataset is said to hold. With `auto` ingestion tells from the uploaded files.
RequestedModality = Literal["image", "text", "auto"]

#: Largest picture that is decoded, in pixels (width times height).
MAX_PIXELS = 50_000_000


def check_dataset_items(
    base: BaseModelDescription, templates: Sequence[str], modality: RequestedModality, are_pairs: bool | None
) -> None:
    """Refuse a dataset that the base model, or its template, does not take, as far as is known of the dataset.

    Args:
        base: the base model.
        templates: as `templates_for` gave them; none when they are wrong, and then nothing is said of pairs.
        modality: of the dataset.
        are_pairs: whether its items are pairs of texts; None as long as it is not ingested.

    Raises:
        InvalidInput: `wrong_modality`, or as `check_text_items`.
    """
    if modality not in (base.modality, "auto"):
        message = f"The dataset holds {modality} items and the base model takes {base.modality} items."
        raise InvalidInput("wrong_modality", message)
    if modality == "text" and templates and are_pairs is not None:
        check_text_items(base, templates, are_pairs)
