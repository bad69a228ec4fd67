"""What the label words lean to by themselves, so that it can be taken off the class logits.

The default is `null`: inputs without content. Estimated on the unlabelled data it would also take off that the data
has more of one class, and so assume balance; where balance is known, that is the better estimate.
"""

from __future__ import annotations

from torch import Tensor

from pouf_core.data.texts import TextItem

NULL_TEXTS = ("", "N/A")  # after Zhao et al., "Calibrate before use", ICML 2021


def null_items(takes_pairs: bool) -> list[TextItem]:
    """Items without content, for a template of one text or two."""
    return [TextItem(text, text if takes_pairs else None) for text in NULL_TEXTS]


def label_word_bias(class_logits: Tensor) -> Tensor:
    """The log of the mean class probabilities [K] of logits [n, K], detached; n is at least 1.

    Args:
        class_logits: of null items (`null`), or of the unlabelled data (`data`).
    """
    if not len(class_logits):
        raise ValueError("The label words' bias needs at least one item.")
    return class_logits.detach().softmax(dim=1).mean(dim=0).log()
