"""A classifier as arrays, whatever it was: with them ten lines of NumPy answer as the service does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pouf_core.exports.model import ModelToExport
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.scoring import CosineClassifier, LinearClassifier

CLASSIFIER = "classifier.npz"
Arrays = dict[str, npt.NDArray[Any]]


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
    return {name: np.asarray(value) for name, value in (arrays | _logits(variant.classifier, bias)).items()}


def save_classifier(model: ModelToExport, directory: Path) -> None:
    """Write `classifier.npz`, which `numpy.load` reads without unpickling anything."""
    np.savez(directory / CLASSIFIER, **classifier_arrays(model))  # type: ignore[arg-type]


def _logits(classifier: object, class_bias: Any) -> dict[str, Any]:
    """Weights and bias, and what they are made of."""
    if isinstance(classifier, LinearClassifier):
        return {"weights": classifier.weights.numpy(), "bias": classifier.bias.numpy() + class_bias}
    if isinstance(classifier, CosineClassifier):
        scale = classifier.logit_scale.exp().reshape(())
        weights = (classifier.prototypes * scale).numpy()
        bias = np.zeros(len(weights), dtype=np.float32) + class_bias
        return {"weights": weights, "bias": bias, "logit_scale": scale.numpy()}
    assert isinstance(classifier, LabelWordClassifier)
    classes, words = classifier.present.nonzero(as_tuple=True)
    subtracted = classifier.word_bias[classes] - torch.as_tensor(class_bias).expand(len(classifier.present))[classes]
    return {
        "weights": classifier.rows[classes, words].numpy(),
        "bias": (classifier.biases[classes, words] - subtracted).numpy(),
        "class_of_word": classes.numpy(),
    }
