"""The serving engine: leases the model, decodes, batches through its encoder, classifies."""

import asyncio
import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from starlette.concurrency import run_in_threadpool

from app.http.budgets import Holding
from app.http.freed_memory import collect_all
from app.serving.base_models import BaseModels
from app.serving.batcher import Batcher
from app.serving.inputs import DecoderPool, Item, Prepared, Source, item_bytes
from app.serving.model_cache import ModelCache
from app.serving.outcomes import ItemError
from app.serving.pipeline import SPARE_THREADS, Pipeline
from pouf_core.contract.abstention import Threshold
from pouf_core.contract.base_model import Modality
from pouf_core.data.decoder import DecoderLimits
from pouf_core.data.texts import TextItem
from store.settings import Settings
from store.storage import Storage

if TYPE_CHECKING:
    from torch import Tensor

    from pouf_core.families.interface import BaseModel
    from pouf_core.predictor import Prediction, Predictor

logger = logging.getLogger(__name__)

SCORES_AT_ONCE = 1000
#: Seconds that a thread runs Python before another may. With Python's own 5 ms the encoder's thread, which comes back
#: after each batch, stood behind the threads of the requests: throughput fell by a third as clients were added.
SWITCH_SECONDS = 0.0005

#: An item of each modality, for the probe.
PROBES: dict[Modality, Item] = {
    "image": Image.new("RGB", (32, 32), "grey"),
    "text": "a text",
    "embedding": np.ones(1, dtype=np.float32),
}


@dataclass(frozen=True)
class Served:
    """An answered request, in input order."""

    model_id: str
    requested_variant: str
    served_variant: str
    threshold: float
    outcomes: "list[Prediction | ItemError]"


@dataclass(frozen=True)
class Servable:
    """What serving needs to know of a published model; `threshold` is in place of the artifact's own."""

    id: str
    storage_key: str
    fallback: str | None
    threshold: float | None = None


class Engine:
    """Predictions for every published model, over shared base models."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._storage = storage
        self.batcher: Batcher[Prepared, Tensor] = Batcher(
            settings.predict_batch_size,
            settings.predict_max_delay_ms / 1000,
            settings.predict_queue_items,
            settings.predict_queue_bytes,
            item_bytes,
        )
        self.cache: ModelCache[Predictor] = ModelCache(self._load, settings.model_cache_bytes)
        self.base_models = BaseModels(settings, self.cache.discard_unused)
        limits = DecoderLimits(settings.decode_memory_bytes, settings.decode_cpu_seconds)
        self._decoders = DecoderPool(settings.predict_decoders + SPARE_THREADS, limits, settings.max_pixels)
        self._pipeline = Pipeline(self.batcher, self._decoders, settings.predict_decoders, settings.predict_batch_size)
        self._preloads = settings.preload
        self._warm_up_error: str | None = None

    def start(self) -> None:
        """Start the batcher, and load the default base model in the background unless the settings say otherwise."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self.batcher.start()
        if self._preloads:
            # no daemon: an interpreter that ends while native code loads a model aborts
            threading.Thread(target=self._warm_up, name="warm-up").start()

    def stop(self) -> None:
        """Fail what waits and free the models."""
        self.batcher.stop()
        self.cache.close()
        self._pipeline.close()
        self._decoders.close()

    async def predict(
        self,
        model: Servable,
        sources: Sequence[Source],
        top_k: int,
        variant: str | None,
        threshold: Threshold | None = None,
        holding: Holding | None = None,
    ) -> Served:
        """Classify every source; one that fails gets an `ItemError` of its own.

        Without a `variant`, a model that fell back is served by its zero-shot baseline. `threshold` is as for
        `Predictor.threshold_of`. Owners of a `holding` take turns, and what their pictures take is granted before one
        is decoded. Raises `QueueFull`, `BatcherStopped`, `InvalidInput` ``threshold_not_proposed``, what loading the
        model raises, or as `Budget.take`.
        """
        caller = holding.owner if holding is not None else ""
        own_variant = "zero_shot" if model.fallback else "adapted"
        served_variant = variant or own_variant
        if threshold is None and served_variant == own_variant:
            threshold = model.threshold  # one for the probabilities of that variant
        order = sorted(range(len(sources)), key=lambda index: _length(sources[index]))
        async with self.cache.lease(model.storage_key) as predictor:
            limit = predictor.threshold_of(threshold, served_variant)
            encoder = predictor.encoder(served_variant)
            self.base_models.touch(predictor)
            rows = await self._pipeline.rows([sources[index] for index in order], predictor, encoder, caller, holding)
            classify = partial(_classify, predictor, rows, top_k, served_variant, limit)
            # a thread takes longer to be asked than a few rows to be classified
            is_short = len(rows) * len(predictor.class_names) <= SCORES_AT_ONCE
            outcomes = classify() if is_short else await run_in_threadpool(classify)
        if self.base_models.shrinking_waits:
            await run_in_threadpool(self.base_models.shrink)
        in_input_order = [outcome for _, outcome in sorted(zip(order, outcomes, strict=True), key=itemgetter(0))]
        return Served(model.id, variant or "adapted", served_variant, limit, in_input_order)

    async def features(
        self, base: "BaseModel", sources: Sequence[Source], holding: Holding
    ) -> "list[Tensor | ItemError]":
        """Return each source's features [d] by a base model as it is, or why it has none.

        Owners take turns, among those who predict too. Raises `QueueFull`, `BatcherStopped`, or as `Budget.take`.
        """
        encoder = await run_in_threadpool(base.encoder)  # names the weights by a hash, made once
        return await self._pipeline.rows(sources, _PlainItems(base), encoder, holding.owner, holding)

    async def probe(self) -> None:
        """Encode an item with the default base model, in the same way as predictions; raises what goes wrong.

        One that is to be loaded when it is first needed is not loaded for this.
        """
        name = self.base_models.default
        if name not in self.base_models.loaded():
            if not self._preloads:
                return
            raise RuntimeError(self._warm_up_error or f"base model {name} is still loading")
        from pouf_core.families.interface import SharedEncoder

        base = self.base_models.pool.get(name)
        item = PROBES[base.description.modality]
        encoder = SharedEncoder(f"probe of {name}", base.encode_plain)
        (future,) = self.batcher.submit(encoder, [item])
        row = await asyncio.wrap_future(future)
        if not bool(row.isfinite().all()):
            raise RuntimeError("the base model's features are not finite")

    def _load(self, storage_key: str) -> "Predictor":
        from pouf_core.predictor import load

        try:
            with self._storage.in_use(storage_key):
                return load(self._storage.local_directory(storage_key), base_models=self.base_models.pool)
        finally:
            self.base_models.shrink()
            self._storage.cache.trim()

    def _warm_up(self) -> None:
        name = self.base_models.default
        try:
            self._decoders.start()
            base = self.base_models.pool.get(name)
            base.encode_plain([PROBES[base.description.modality]])
            collect_all()
        except Exception:
            logger.exception("base model %s could not be loaded", name)
            self._warm_up_error = f"base model {name} could not be loaded; the log says why"


@dataclass(frozen=True)
class _PlainItems:
    """Reads items for a base model as it is."""

    base: "BaseModel"

    @property
    def modality(self) -> Modality:
        return self.base.description.modality

    def decode(self, source: object) -> object:
        decoded: object = self.base.decode(source)
        return decoded


def _length(source: Source) -> int:
    """How long a text is, so that texts of about the same length share batches; pictures keep their order."""
    return len(source) if isinstance(source, TextItem) else 0


def _classify(
    predictor: "Predictor", features: "list[Tensor | ItemError]", top_k: int, variant: str, threshold: float
) -> "list[Prediction | ItemError]":
    import torch

    rows = [row for row in features if not isinstance(row, ItemError)]
    found = iter(predictor.classify(torch.stack(rows), top_k, variant, threshold) if rows else [])
    return [item if isinstance(item, ItemError) else next(found) for item in features]
