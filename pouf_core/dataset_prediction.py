"""Predictions of a whole dataset by an adapted model, some items at a time: a killed run goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pouf_core.adaptation.engine import engine_for
from pouf_core.adaptation.features import FrozenEncoder, encode_views
from pouf_core.artifact import load_artifact
from pouf_core.contract.abstention import VariantName, accepting_threshold
from pouf_core.contract.counts import counted
from pouf_core.contract.engine import EngineChoice
from pouf_core.contract.method import Precision
from pouf_core.contract.predictions import PredictionsHeader
from pouf_core.data.embeddings import EmbeddingItems
from pouf_core.data.items import Item
from pouf_core.data.texts import TextItem
from pouf_core.engines.interface import EngineOffer
from pouf_core.errors import InvalidInput
from pouf_core.families.interface import BaseModel, PromptedModel, SharedEncoder, Views
from pouf_core.families.loading import BaseModelPool
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.feature_cache.digests import digests_of
from pouf_core.predictions.predicted import prediction_records
from pouf_core.predictions.stored import RECORD, Records, write_predictions
from pouf_core.predictor import Predictor
from pouf_core.system.durable_files import whole_file

OnPredicted = Callable[[int, int], None]
"""Items done and items in all; raises to stop."""


def predict_dataset(
    predictor: Predictor,
    items: Sequence[Item],
    directory: Path,
    parts: Path,
    *,
    device: torch.device,
    cache: FeatureCache,
    variant: VariantName | None = None,
    threshold: float | None = None,
    at_once: int = 1024,
    on_predicted: OnPredicted = lambda done, total: None,
    on_durable: OnPredicted = lambda done, total: None,
) -> None:
    """Write what the model serves for every item, as `pouf_core.predictions.stored` has it.

    Args:
        predictor: the model, see `load_for_dataset`.
        items: n items in order of content hash, each content once.
        directory: where the predictions go.
        parts: where they are kept until they are complete: a run that finds parts of an earlier one over the same items
            and model goes on from them.
        device: where its base model is.
        cache: features of the base model's own encoder, shared with adaptations over the same items.
        variant: which classifier predicts; None for the one that the model serves. Equal in all runs that share
            `parts`, as is the next.
        at_once: items whose predictions are written together.
        threshold: the probability below which an item gets no class; None for the model's own.
        on_predicted: told about every encoded batch.
        on_durable: told once the predictions of so many items are on disk.

    Raises:
        InvalidInput: `wrong_modality`, `embedding_width`, or the items are texts where the model takes pairs of texts,
            or the other way round.
        OutOfMemory: memory ran out over a single item.
    """
    _check(predictor, items)
    manifest, variant = predictor.manifest, variant or predictor.served
    curve = None if manifest.abstention is None else manifest.abstention[variant]
    header = PredictionsHeader(
        class_names=predictor.class_names,
        variant=variant,
        threshold=predictor.threshold_of(threshold, variant),
        accepted_from=accepting_threshold(manifest.request.threshold if threshold is None else threshold, curve),
        item_count=len(items),
    )
    parts.mkdir(parents=True, exist_ok=True)
    run = _Run(predictor, variant, items, device, cache, on_predicted)
    pieces = [slice(start, start + at_once) for start in range(0, len(items), at_once)]
    files = []
    for number, rows in enumerate(pieces):
        files.append(parts / f"{number:06}.npy")
        if not run.has(files[-1], rows):
            records = run.records(rows)
            with whole_file(files[-1]) as stream:
                np.save(stream, records)
        on_durable(min(rows.stop, len(items)), len(items))
    write_predictions(directory, header, map(np.load, files))


def load_for_dataset(
    path: Path,
    item_count: int,
    *,
    device: torch.device,
    engine: EngineChoice = "auto",
    engine_dir: Path | None = None,
    precision: Precision | None = None,
    base_of: Callable[[str], BaseModel | None] = lambda name: None,
) -> Predictor:
    """Load an adapted model to predict so many items, with the engine that an adaptation over them would have.

    Args:
        path: an artifact directory.
        item_count: how many.
        device: where to predict.
        engine, engine_dir: as in `RunOptions`.
        precision: what it computes in where its request names none; None for what suits the device.
        base_of: a base model's name to that base model on this device, where it is loaded already; asked once.

    Raises:
        ArtifactError, PoufError: as `pouf_core.load`.
    """
    artifact = load_artifact(path)
    manifest = artifact.manifest
    name = engine_for(engine, manifest.request.method.preset, manifest.modality, item_count)
    loaded = base_of(manifest.base_model.name)
    if loaded is not None and name == "torch" and manifest.activation_used is None:
        return Predictor(artifact, loaded.computing_in(precision))
    pool = BaseModelPool(device, None if name == "torch" else EngineOffer(engine_dir), precision)
    return Predictor(artifact, pool.get(manifest.base_model.name, manifest.activation_used))


@dataclass(frozen=True)
class _Run:
    predictor: Predictor
    variant: VariantName
    items: Sequence[Item]
    device: torch.device
    cache: FeatureCache
    on_predicted: OnPredicted

    def has(self, file: Path, rows: slice) -> bool:
        """Whether an earlier run has predicted these items."""
        try:
            records = np.load(file)
        except (FileNotFoundError, ValueError, EOFError):
            return False
        digests = digests_of(self.items[rows])
        return bool(records.dtype == RECORD and np.array_equal(records["sha256"], digests))

    def records(self, rows: slice) -> Records:
        """The predictions of some items."""
        predictor, part = self.predictor, self.items[rows]
        chosen, zero_shot = predictor.variant(self.variant), predictor.variant("zero_shot")
        own = self._own_features(part, rows.start)
        features = own
        if chosen.encoder.key != zero_shot.encoder.key:
            features = self._features(chosen.encoder, part, rows.start)
        with torch.no_grad():
            served, base = chosen.answers(features), zero_shot.answers(own)
        return prediction_records(digests_of(part), served.probabilities, base.probabilities)

    def _own_features(self, part: Sequence[Item], done: int) -> Tensor:
        """Features [b, d] by the base model's own encoder."""
        if isinstance(part, EmbeddingItems):
            self.on_predicted(done + len(part), len(self.items))
            return torch.from_numpy(np.array(part.features))
        model = self._prompted
        encoder: FrozenEncoder[Any] = FrozenEncoder(
            lambda: [model.encoder_key],
            lambda seen: [model.encode_items(seen)],
            self.device,
            lambda: model.engine_used,
        )
        return self._encoded(encoder, part, model.views("none", 0), self.cache, done)

    @cached_property
    def _prompted(self) -> PromptedModel[Any]:
        base = self.predictor.base_model
        return base.prompted(self.predictor.manifest.request.check(base.description))

    def _features(self, encoder: SharedEncoder, part: Sequence[Item], done: int) -> Tensor:
        """Features [b, d] by a trained encoder, which are of use to nobody else."""
        base = self.predictor.base_model
        frozen: FrozenEncoder[Any] = FrozenEncoder(
            lambda: [encoder.key], lambda seen: [encoder.encode(seen)], self.device
        )
        return self._encoded(frozen, part, _Plain(base, encoder), FeatureCache(), done)

    def _encoded(
        self, encoder: FrozenEncoder[Any], part: Sequence[Item], views: Views[Any], cache: FeatureCache, done: int
    ) -> Tensor:
        def on_encoded(encoded: int, _: int) -> None:
            self.on_predicted(done + encoded, len(self.items))

        ((features,),) = encode_views(encoder, part, views, [0], on_encoded, cache)
        return features[:].cpu()


@dataclass(frozen=True)
class _Plain:
    """Items as an adapted model's encoder takes them."""

    base: BaseModel
    encoder: SharedEncoder

    def name(self, number: int) -> str:
        return "plain"

    def size(self, item: Item) -> int:
        return len(item.text()) if isinstance(item.source, str | TextItem) else 0

    def plain(self, item: Item) -> Any:
        return self.encoder.prepare(self.base.decode(item.source))

    def view(self, item: Item, number: int) -> Any:
        return self.plain(item)


def _check(predictor: Predictor, items: Sequence[Item]) -> None:
    """Refuse items that the model cannot take; all of a dataset are of one kind."""
    wanted = predictor.modality
    source = None if isinstance(items, EmbeddingItems) else items[0].source
    found = "embedding" if source is None else "text" if isinstance(source, str | TextItem) else "image"
    if found != wanted:
        raise InvalidInput("wrong_modality", f"The model takes items of modality {wanted}, and these are {found}.")
    if isinstance(items, EmbeddingItems):
        width = predictor.variant().classifier.prototypes.shape[1]
        if items.width != width:
            message = f"The embeddings have {counted(items.width, 'number')} each, and this model takes {width}."
            raise InvalidInput("embedding_width", message)
    elif wanted == "text":
        predictor.decode(source)
