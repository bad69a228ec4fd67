"""A classifier as arrays, whatever it was: with them ten lines of NumPy answer as the service does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pouf_core.exports.model import ModelToExport

CLASSIFIER = "classifier.npz"
Arrays = dict[str, npt.NDArray[Any]]
_OF_WORDS = ("rows", "biases", "present", "word_bias")


def classifier_arrays(model: ModelToExport) -> Arrays:
    """The arrays of a classifier of K classes over features of d numbers.

    Returns:
        `class_names` [K]; `class_features` [K, d] of unit length; `weights` [K, d] and `bias` [K] of the class logits,
        the logit scale included; `logit_scale` where the weights are scaled class features; `confidence`, what logits
        are multiplied by before the softmax; `threshold`; `similarity_levels` [101], or [0] of a model without them.
        Of a language model `weights` and `bias` have a row for each of M label words, and `class_of_word` [M] its
        class.
    """
    variant = model.variant
    arrays = {
        "class_names": np.array(model.class_names),
        "class_features": variant.classifier.prototypes.numpy(),
        "confidence": np.float64(variant.confidence),
        "threshold": np.float64(model.threshold),
        "similarity_levels": np.array(variant.levels or [], dtype=np.float64),
    }
    bias = 0.0 if variant.class_bias is None else variant.class_bias.numpy()
    return {name: np.asarray(value) for name, value in (arrays | _logits(variant.classifier.tensors(), bias)).items()}


def save_classifier(model: ModelToExport, directory: Path, further: Arrays | None = None) -> None:
    """Write `classifier.npz`, which `numpy.load` reads without unpickling anything, with further arrays."""
    np.savez(directory / CLASSIFIER, **classifier_arrays(model), **(further or {}))  # type: ignore[arg-type]


def has_label_words(tensors: Mapping[str, Tensor]) -> bool:
    """Whether these are the tensors of a language model's classifier."""
    return "label_words_rows" in tensors


def _logits(tensors: Mapping[str, Tensor], class_bias: Any) -> dict[str, Any]:
    """Weights and bias of the classifier that gave these tensors, and what they are made of."""
    if has_label_words(tensors):
        rows, biases, present, word_bias = (tensors[f"label_words_{name}"] for name in _OF_WORDS)
        classes, words = present.nonzero(as_tuple=True)
        subtracted = (word_bias - torch.as_tensor(class_bias))[classes]
        bias = (biases[classes, words] - subtracted).numpy()
        return {"weights": rows[classes, words].numpy(), "bias": bias, "class_of_word": classes.numpy()}
    if "weights" in tensors:
        return {"weights": tensors["weights"].numpy(), "bias": tensors["bias"].numpy() + class_bias}
    scale = tensors["logit_scale"].exp().reshape(())
    scaled = (tensors["prototypes"] * scale).numpy()
    return {
        "weights": scaled,
        "bias": np.zeros(len(scaled), dtype=np.float32) + class_bias,
        "logit_scale": scale.numpy(),
    }
