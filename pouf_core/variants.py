"""The two classifiers of an artifact, each with the encoder of its items: adapted, and the base model's own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pouf_core.artifact import BIAS, PROTOTYPES, SCALE, TRAINED, Artifact
from pouf_core.families.cosine.cosine_model import CosineModel
from pouf_core.families.cosine.learner import CONTEXT, NETWORK
from pouf_core.families.language.item_reader import ItemReader
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.loading import BaseModel
from pouf_core.families.weights_hash import weights_hash
from pouf_core.scoring import Classifier, CosineClassifier

VariantName = Literal["adapted", "zero_shot"]
VARIANTS: tuple[VariantName, ...] = ("adapted", "zero_shot")


@dataclass(frozen=True)
class Encoder:
    """An encoder of items that several predictors may share.

    Attributes:
        key: equal keys mean equal weights, and that equal items are read alike, so that they may travel in one batch.
        encode: decoded items to float32 features [n, d] on the CPU.
        nbytes: bytes of the weights that it does not share with the base model.
    """

    key: str
    encode: Callable[[Sequence[Any]], Tensor]
    nbytes: int = 0


@dataclass(frozen=True)
class Variant:
    """One classifier of an artifact.

    Attributes:
        encoder: gives the features.
        classifier: K classes, on the CPU.
        class_bias: [K] added to the class logits, or None.
    """

    encoder: Encoder
    classifier: Classifier
    class_bias: Tensor | None

    def class_logits(self, features: Tensor) -> Tensor:
        """Class logits [n, K] of features [n, d]."""
        logits = self.classifier(features).class_logits
        return logits if self.class_bias is None else logits + self.class_bias

    @property
    def nbytes(self) -> int:
        """Bytes that it takes beside the base model."""
        return self.encoder.nbytes + sum(tensor.nbytes for tensor in self.classifier.tensors().values())


def variants_of(artifact: Artifact, base: BaseModel) -> dict[VariantName, Variant]:
    """Both variants over the base model, which is shared and never changed."""
    encoders = _language_encoders(artifact, base) if isinstance(base, LanguageModel) else _encoders(artifact, base)
    return {
        name: Variant(encoders[name], _classifier(artifact.tensors, name, base), artifact.tensors.get(f"{BIAS}{name}"))
        for name in VARIANTS
    }


def _classifier(tensors: Mapping[str, Tensor], name: VariantName, base: BaseModel) -> Classifier:
    if isinstance(base, LanguageModel):
        end = f".{name}"
        return LabelWordClassifier.from_tensors(
            {key.removesuffix(end): tensor for key, tensor in tensors.items() if key.endswith(end)}
        )
    return CosineClassifier(tensors[PROTOTYPES + name], tensors[SCALE + name])


def _encoders(artifact: Artifact, base: CosineModel) -> dict[VariantName, Encoder]:
    own = Encoder(f"{base.description.name}@{base.sha256}", base.encode_plain)
    trained = _trained(artifact.tensors, f"{base.item_tower}.")
    if not trained:
        return {"adapted": own, "zero_shot": own}
    network = _with_tower(base.network, base.item_tower, trained)
    tower = network.get_submodule(base.item_tower)
    nbytes = sum(parameter.nbytes for parameter in tower.state_dict().values())
    adapted = Encoder(f"{own.key}+{weights_hash(trained)}", base.with_network(network).encode_plain, nbytes)
    return {"adapted": adapted, "zero_shot": own}


def _language_encoders(artifact: Artifact, base: LanguageModel) -> dict[VariantName, Encoder]:
    checked = artifact.manifest.request.check(base.description)
    wording = checked.wording
    assert wording.language_template is not None  # a request over a language model has one
    reads = base.encoder(
        wording.language_template,
        wording.label_words,
        checked.classes,
        wording.text_limits,
        longest=artifact.manifest.longest,
    )
    reader = ItemReader(base, reads)
    own = Encoder(f"{base.description.name}@{base.sha256}@{reader.settings_key}", reader.encode_plain)
    weights, context = _trained(artifact.tensors, ""), artifact.tensors.get(TRAINED + CONTEXT)
    if not weights and context is None:
        return {"adapted": own, "zero_shot": own}
    placed = None if context is None else context.to(base.device)
    adapted = ItemReader(base.with_weights(weights), reads, placed)
    key = f"{own.key}+{weights_hash(weights | ({} if context is None else {CONTEXT: context}))}"
    nbytes = sum(tensor.nbytes for tensor in weights.values())
    return {"adapted": Encoder(key, adapted.encode_plain, nbytes), "zero_shot": own}


def _trained(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """Trained parameters of the network whose names begin so."""
    prefix = TRAINED + NETWORK
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix + start)}


def _with_tower(network: nn.Module, name: str, tensors: dict[str, Tensor]) -> nn.Module:
    """The network with an item tower of its own; everything else is shared with the original."""
    clone = copy.copy(network)
    clone._modules = dict(network._modules)
    setattr(clone, name, copy.deepcopy(network.get_submodule(name)))
    with torch.no_grad():
        for parameter, tensor in tensors.items():
            clone.get_parameter(parameter).copy_(tensor)
    return clone
