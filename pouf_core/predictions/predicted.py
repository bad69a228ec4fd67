"""From probabilities of the classes to records of predictions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from pouf_core.predictions.stored import RECORD, Records


def prediction_records(
    digests: npt.NDArray[np.uint8], served: Tensor, zero_shot: Tensor, adapted: Tensor | None = None
) -> Records:
    """Records of n items.

    Args:
        digests: [n, 32] content hashes.
        served: [n, K] probabilities of at least two classes, by the classifier that is served.
        zero_shot: [n, K] by the base model's own.
        adapted: [n, K] by the adapted one; None where it is the one that is served.
    """
    records = np.empty(len(digests), RECORD)
    records["sha256"] = digests
    best, classes = served.topk(2, dim=1)
    own, own_classes = zero_shot.max(dim=1)
    columns = {
        "label": classes[:, 0],
        "runner_up": classes[:, 1],
        "zero_shot_label": own_classes,
        "adapted_label": classes[:, 0] if adapted is None else adapted.argmax(dim=1),
        "probability": best[:, 0],
        "runner_up_probability": best[:, 1],
        "zero_shot_probability": own,
    }
    for name, column in columns.items():
        records[name] = column.detach().cpu().numpy()
    return records
