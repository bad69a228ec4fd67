"""Items with what their files and folders say of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from pouf_core.contract.base_model import Modality
from pouf_core.contract.findings import Finding
from pouf_core.contract.labels import LabelsWanted
from pouf_core.data.items import Data, Item, collect_pictures, collect_texts
from pouf_core.data.labels.files import label_pairs
from pouf_core.data.labels.labelling import Labelling, PictureLabels
from pouf_core.data.labels.text_labels import TextLabels
from pouf_core.data.losses import Rejected
from pouf_core.data.text_files import AS_TOLD, TextOptions
from pouf_core.data.unsure_encodings import UnsureEncodings

MOST_LABEL_ROWS = 10_000_000


@dataclass(frozen=True)
class LabelledItems:
    """Items in order of content hash, each content once; what was refused; labels of files and folders; and warnings.

    Items that are no files of a folder or an archive, and no rows of files of texts, have no labels.
    """

    items: Sequence[Item]
    rejected: list[Rejected]
    labelling: Labelling
    warnings: list[Finding] = field(default_factory=list)


def collect_labelled(
    data: Data,
    modality: Modality = "image",
    options: TextOptions = AS_TOLD,
    labels: LabelsWanted = "auto",
) -> LabelledItems:
    """Collect items as `collect_items` does, with their labels.

    Args:
        data, modality, options: as for `collect_items`; of the options `label_column` is of files of labels, too.
        labels: where labels may come from.

    Raises:
        InvalidInput: as `collect_items`.
    """
    if modality == "text":
        of_texts = TextLabels(labels)
        unsure = UnsureEncodings()
        items, rejected = collect_texts(data, options, of_texts, unsure.note)
        return LabelledItems(items, rejected, of_texts.found(), unsure.warnings())
    read = partial(label_pairs, label_column=options.label_column)
    of_pictures = PictureLabels(labels, MOST_LABEL_ROWS, read, options.label_column)
    return LabelledItems(*collect_pictures(data, of_pictures), of_pictures.found())
