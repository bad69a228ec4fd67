"""The base model's own classifier, and what it says about the target data before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.adaptation.encoding import encode_items
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.closed_forms.target import target_of
from pouf_core.contract.engine import EngineUsed
from pouf_core.families.interface import PromptedModel
from pouf_core.none_of_these import expected_similarity
from pouf_core.scoring import Classifier, FeatureMatrix, logit_pieces, row_pieces
from pouf_core.validation.evidence import Witness
from pouf_core.validation.measurements import Relation, Size, Structure, measure_relation, measure_structure

MOST_JUDGED_ITEMS = 5000  # by the verdict; a random sample: items are in order of content hash


@dataclass(frozen=True)
class ZeroShot:
    """The base model's own classifier, kept before training changes the network.

    Attributes:
        classifier: K classes.
        features: [n, d] of the target data.
        classes: [n] the most probable class of every item.
        marginal: [K] mean of the probabilities of all items, in float64.
        logits: [m, K] of the first m items, which the verdict looks at.
        other_logits: gives the logits [m, K] of these in another view, which is encoded then, as the network is then.
        engine: what encoded them.
    """

    classifier: Classifier
    features: FeatureMatrix
    classes: Tensor
    marginal: Tensor
    logits: Tensor
    other_logits: Callable[[], Tensor]
    engine: EngineUsed | None = None

    @property
    def judged_count(self) -> int:
        """m."""
        return len(self.logits)

    @property
    def size(self) -> Size:
        """Of the target data."""
        return Size(item_count=len(self.features), class_count=self.logits.shape[1])

    @cached_property
    def probabilities(self) -> Tensor:
        """[m, K] of the first m items as they are."""
        return self.logits.softmax(dim=1)

    @cached_property
    def views(self) -> Tensor:
        """[2, m, K] probabilities of these, as they are and in another view; before training, see `look_twice`."""
        return torch.stack([self.probabilities, self.other_logits().softmax(dim=1)])

    @cached_property
    def structure(self) -> Structure:
        """What these predictions say about the data; before training, see `look_twice`."""
        near = normalize(self.features[: self.judged_count], dim=1)
        return measure_structure(self.views, near, len(self.features))

    def look_twice(self) -> None:
        """Encode the other view and measure the structure, as long as the network is the base model's; once.

        Checks need both. A closed form is judged without them, and encoding is most of its time.
        """
        _ = self.structure

    @cached_property
    def witness(self) -> Witness:
        """What these m items, at least 2, say about any change of their classes."""
        return Witness(target_of(self.features[: self.judged_count], self.classifier.prototypes))

    @cached_property
    def relation(self) -> Relation:
        """Whether the classes are of the items' encoder."""
        return measure_relation(self.features[: self.judged_count], self.classifier.prototypes)

    def similarity(self, classifier: Classifier, class_bias: Tensor | None = None) -> Tensor:
        """`expected_similarity` [m] of these by a classifier over the same features."""
        pieces = row_pieces(self.judged_count, len(classifier.prototypes))
        with torch.no_grad():
            return torch.cat([expected_similarity(classifier(self.features[rows]), class_bias) for rows in pieces])


def zero_shot_classifier(model: PromptedModel[Any], inputs: RunInputs) -> ZeroShot:
    """Encode the target data as it is with the base model, and classify it."""
    classifier = model.zero_shot()
    views_of = model.views(model.view_kind, inputs.request.seed)
    features = encode_items(model, inputs, views_of, [0], stage="encoding")[0]
    engine = inputs.cache.engine(model.encoder_key, views_of.name(0)) or model.engine_used
    logits = torch.cat(list(logit_pieces(classifier, features[:MOST_JUDGED_ITEMS])))

    def other_logits() -> Tensor:
        other = encode_items(model, inputs, views_of, [1], inputs.items[:MOST_JUDGED_ITEMS])[0]
        return torch.cat(list(logit_pieces(classifier, other)))

    classes, marginal = _over_all(classifier, features)
    return ZeroShot(classifier, features, classes, marginal, logits, other_logits, engine)


def _over_all(classifier: Classifier, features: FeatureMatrix) -> tuple[Tensor, Tensor]:
    """The classes [n] of all items, and the mean [K] of their probabilities, which are never held together."""
    prototypes = classifier.prototypes
    classes, total = [], torch.zeros(len(prototypes), dtype=torch.float64, device=prototypes.device)
    for logits in logit_pieces(classifier, features):
        classes.append(logits.argmax(dim=1))
        total += logits.softmax(dim=1).sum(dim=0, dtype=torch.float64)
    return torch.cat(classes), total / len(features)
