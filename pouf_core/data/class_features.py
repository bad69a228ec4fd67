"""Class features: the vectors that a caller gives for the classes, brought to one of unit length for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from pouf_core.contract.counts import counted
from pouf_core.data.embeddings import Floats, as_numbers, refused_row, unit_rows
from pouf_core.errors import InvalidInput

FIELD = "/class_features"


def class_feature_vectors(values: Any, class_count: int | None = None) -> Floats:
    """One unit-length vector [K, d] for each class.

    Args:
        values: [K, d], or [T, K, d] for T templates, whose vectors are normalised and averaged; of any length and
            number type.
        class_count: K; None to take any number.

    Raises:
        InvalidInput: `wrong_modality`, `embedding_shape`, `class_features_count`, or `embedding_zero` or
            `embedding_not_finite` with the row (`<row>`, or `<template>/<row>`) in the field.
    """
    array = as_numbers(values, FIELD)
    if array.ndim not in (2, 3) or 0 in array.shape:
        message = f"Class features come as an array [K, d] or [T, K, d], and this one has shape {list(array.shape)}."
        raise InvalidInput("embedding_shape", message, field=FIELD)
    count = array.shape[-2]
    if class_count is not None and count != class_count:
        message = f"Class features: {count}, for {counted(class_count, 'class')}."
        raise InvalidInput("class_features_count", message, field=FIELD)
    flat = unit_rows(array.reshape(-1, array.shape[-1]))
    for row, code in flat.refused.items():
        raise refused_row(code, row if array.ndim == 2 else f"{row // count}/{row % count}", FIELD)
    if array.ndim == 2:
        return flat.rows
    mean = unit_rows(flat.rows.reshape(array.shape).mean(axis=0, dtype=np.float64))
    return mean.raise_any(FIELD)
