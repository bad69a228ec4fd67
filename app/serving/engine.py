"""The serving engine: leases the model, decodes, batches through its encoder, classifies."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from starlette.concurrency import run_in_threadpool

from app.serving.batcher import Batcher
from app.serving.inputs import DecoderPool, Item, Prepared, Source, item_bytes
from app.serving.model_cache import ModelCache
from app.serving.outcomes import ItemError
from app.serving.pipeline import Pipeline
from pouf_core.contract.abstention import Threshold
from pouf_core.contract.base_model import Modality
from pouf_core.contract.engine import EngineUsed
from pouf_core.data.decoder import DecoderLimits
from pouf_core.data.texts import TextItem
from store.settings import Settings
from store.storage import Storage

if TYPE_CHECKING:
    from torch import Tensor

    from pouf_core.families.loading import BaseModelPool
    from pouf_core.predictor import Prediction, Predictor

logger = logging.getLogger(__name__)

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
    """What serving needs to know of a published model."""

    id: str
    storage_key: str
    fallback: str | None


class Engine:
    """Predictions for every published model, over shared base models."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._pool: BaseModelPool | None = None
        self._pool_lock = threading.Lock()
        self.batcher: Batcher[Prepared, Tensor] = Batcher(
            settings.predict_batch_size,
            settings.predict_max_delay_ms / 1000,
            settings.predict_queue_items,
            settings.predict_queue_bytes,
            item_bytes,
        )
        self.cache: ModelCache[Predictor] = ModelCache(self._load, settings.model_cache_bytes)
        limits = DecoderLimits(settings.decode_memory_bytes, settings.decode_cpu_seconds)
        self._decoders = DecoderPool(settings.predict_decoders, limits, settings.max_pixels)
        self._pipeline = Pipeline(self.batcher, self._decoders, settings.predict_decoders, settings.predict_batch_size)
        self._warm_up_error: str | None = None

    def start(self) -> None:
        """Start the batcher, and load the default base model in the background."""
        self.batcher.start()
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()

    def stop(self) -> None:
        """Fail what waits and free the models."""
        self.batcher.stop()
        self.cache.close()
        self._pipeline.close()
        self._decoders.close()

    def loaded_base_models(self) -> list[str]:
        """Return the names of the base models in memory."""
        return self._pool.loaded() if self._pool is not None else []

    def engines(self) -> "dict[str, EngineUsed | None]":
        """Return what runs each base model in memory, by its name."""
        return self._pool.engines() if self._pool is not None else {}

    async def predict(
        self,
        model: Servable,
        sources: Sequence[Source],
        top_k: int,
        variant: str | None,
        threshold: Threshold | None = None,
    ) -> Served:
        """Classify every source; one that fails gets an `ItemError` of its own.

        Without a `variant`, a model that fell back is served by its zero-shot baseline. `threshold` is as for
        `Predictor.threshold_of`. Raises `QueueFull`, `BatcherStopped`, `InvalidInput` ``threshold_not_proposed``, or
        what loading the model raises.
        """
        served_variant = variant or ("zero_shot" if model.fallback else "adapted")
        order = sorted(range(len(sources)), key=lambda index: _length(sources[index]))
        async with self.cache.lease(model.storage_key) as predictor:
            limit = predictor.threshold_of(threshold, served_variant)
            encoder = predictor.encoder(served_variant)
            rows = await self._pipeline.rows([sources[index] for index in order], predictor, encoder)
            outcomes = await run_in_threadpool(_classify, predictor, rows, top_k, served_variant, limit)
        in_input_order = [outcome for _, outcome in sorted(zip(order, outcomes, strict=True), key=itemgetter(0))]
        return Served(model.id, variant or "adapted", served_variant, limit, in_input_order)

    async def probe(self) -> None:
        """Encode an item with the default base model, in the same way as predictions; raises what goes wrong."""
        if self._pool is None or self.default_base_model not in self._pool.loaded():
            raise RuntimeError(self._warm_up_error or f"base model {self.default_base_model} is still loading")
        from pouf_core.families.interface import SharedEncoder

        base = self._pool.get(self.default_base_model)
        item = PROBES[base.description.modality]
        encoder = SharedEncoder(f"probe of {self.default_base_model}", base.encode_plain)
        (future,) = self.batcher.submit(encoder, [item])
        row = await asyncio.wrap_future(future)
        if not bool(row.isfinite().all()):
            raise RuntimeError("the base model's features are not finite")

    @property
    def default_base_model(self) -> str:
        """The first base model that the operator names in full."""
        exact = [spec for spec in self._settings.base_models if not spec.endswith("*")]
        return exact[0] if exact else "pouf-lite"

    def _load(self, storage_key: str) -> "Predictor":
        from pouf_core.predictor import load

        path: Path = self._storage.local_directory(storage_key)
        return load(path, base_models=self._base_models())

    def _base_models(self) -> "BaseModelPool":
        from pouf_core.engines.interface import EngineOffer
        from pouf_core.families.loading import BaseModelPool
        from pouf_core.system.memory import keep_freed_memory
        from pouf_core.system.runtime import choose_device

        with self._pool_lock:
            if self._pool is None:
                device = choose_device(self._settings.device)
                if device.type == "cpu":
                    keep_freed_memory()
                offer = EngineOffer(self._settings.engine_dir, in_background=True)
                self._pool = BaseModelPool(device, None if self._settings.engine == "torch" else offer)
            return self._pool

    def _warm_up(self) -> None:
        try:
            self._decoders.start()
            base = self._base_models().get(self.default_base_model)
            base.encode_plain([PROBES[base.description.modality]])
        except Exception:
            logger.exception("base model %s could not be loaded", self.default_base_model)
            self._warm_up_error = f"base model {self.default_base_model} could not be loaded; the log says why"


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
