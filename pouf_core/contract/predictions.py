"""What is said once of all predictions of a dataset: the classes, the variant and the two thresholds."""

from __future__ import annotations

from typing import Literal

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.document import Document

FORMAT: Literal[1] = 1


class PredictionsHeader(Document):
    """`predictions.json`, beside the predictions of n items by K classes.

    Attributes:
        class_names: the K labels.
        variant: the classifier that predicted: the one that is served.
        threshold: the probability below which an item gets no class, as from `/predict`; 0 gives every item one.
        accepted_from: the probability from which an item needs no review; None where every item needs one, because no
            threshold is expected to reach the wished accuracy.
        item_count: n.
    """

    format: Literal[1] = FORMAT
    class_names: list[str]
    variant: VariantName
    threshold: float
    accepted_from: float | None
    item_count: int
