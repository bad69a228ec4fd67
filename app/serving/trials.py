"""Zero-shot trials: what a base model says of a few items while somebody words its classes.

The items go through the batcher like those of predictions, once: their features are kept. Prompts are encoded by one
thread beside predictions, some classes at a time, so that owners take turns; those of classes that stayed are kept too.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from app.http.budgets import Holding
from app.serving.engine import Engine
from app.serving.inputs import Source
from app.serving.outcomes import ItemError
from app.serving.turns import TurnThreads, Waiting
from pouf_core.contract.classes import ClassName
from pouf_core.contract.request import CheckedRequest

if TYPE_CHECKING:
    from torch import Tensor

    from pouf_core.families.interface import BaseModel
    from pouf_core.scoring import CosineClassifier

KeptT = TypeVar("KeptT")
ResultT = TypeVar("ResultT")

#: Beyond, requests are refused.
MOST_WAITING = 50
CLASSES_AT_ONCE = 20
SAMPLES_KEPT = 200
CLASSES_KEPT = 20_000


@dataclass(frozen=True)
class SampleSource:
    """Some items of a dataset: what they are called together, and how they are read."""

    key: str
    read: Callable[[], list[Source]]


@dataclass(frozen=True)
class Guess:
    """The most probable class of an item: its place among the classes, and the probability."""

    place: int
    probability: float


@dataclass(frozen=True)
class Tried:
    """What was said.

    Attributes:
        outcomes: of each item, in order.
        near_duplicates: pairs of class names that the base model can hardly tell apart.
    """

    outcomes: list[Guess | ItemError]
    near_duplicates: list[tuple[str, str]]


class Trials:
    """Runs trials over the engine's base models, the sentence encoders and those of pictures."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = TurnThreads(1, "trials")
        self._waiting = Waiting(MOST_WAITING, "trials are running")
        self._features: _Kept[list[Tensor | ItemError]] = _Kept(SAMPLES_KEPT)
        self._classes: _Kept[CosineClassifier] = _Kept(CLASSES_KEPT)

    async def run(self, request: CheckedRequest, sample: SampleSource, holding: Holding) -> Tried:
        """Return what the base model of the request says of the sample, without any adaptation.

        Raises:
            ApiError: 503 ``overloaded`` when too many wait, or as `Budget.take`.
            QueueFull, BatcherStopped: as `Engine.features`.
            InvalidInput: a class name or a template that the base model cannot take.
            PoufError: the base model cannot be loaded.
        """
        with self._waiting.one(holding.owner):
            base = await self._in_turn(holding, partial(self._load, request))
            features = await self._features_of(request, base, sample, holding)
            missing = [one for one in request.classes if self._classes.get(_class_key(request, one)) is None]
            for start in range(0, len(missing), CLASSES_AT_ONCE):
                part = missing[start : start + CLASSES_AT_ONCE]
                await self._in_turn(holding, partial(self._encode, request, base, part))
            return await self._in_turn(holding, partial(self._judge, request, base, features))

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()

    async def _in_turn(self, holding: Holding, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.wrap_future(self._threads.submit(holding.owner, work))

    def _load(self, request: CheckedRequest) -> BaseModel:
        try:
            return self._engine.base_models.pool.get(request.base_model, request.activation)
        finally:
            self._engine.base_models.shrink()

    async def _features_of(
        self, request: CheckedRequest, base: BaseModel, sample: SampleSource, holding: Holding
    ) -> list[Tensor | ItemError]:
        key = (sample.key, request.base_model, request.activation)
        features = self._features.get(key)
        if features is None:
            features = await self._engine.features(base, await run_in_threadpool(sample.read), holding)
            if not any(isinstance(row, ItemError) for row in features):  # which may pass
                self._features.put(key, features)
        return features

    def _encode(self, request: CheckedRequest, base: BaseModel, classes: list[ClassName]) -> list[CosineClassifier]:
        """Return each of the classes as a classifier of its own, and keep it."""
        from pouf_core.scoring import CosineClassifier

        tensors = base.prompted(replace(request, classes=classes)).zero_shot().tensors()
        found = [CosineClassifier(row, tensors["logit_scale"].cpu()) for row in tensors["prototypes"].float().cpu()]
        for one, own in zip(classes, found, strict=True):
            self._classes.put(_class_key(request, one), own)
        return found

    def _judge(self, request: CheckedRequest, base: BaseModel, features: Sequence[Tensor | ItemError]) -> Tried:
        import torch

        from pouf_core.scoring import CosineClassifier, class_probabilities
        from pouf_core.validation.near_duplicates import near_duplicates
        from pouf_core.validation.thresholds import Thresholds

        classes = [
            self._classes.get(_class_key(request, one)) or self._encode(request, base, [one])[0]
            for one in request.classes
        ]
        classifier = CosineClassifier(torch.stack([one.prototypes for one in classes]), classes[0].logit_scale)
        rows = [row for row in features if not isinstance(row, ItemError)]
        guesses: Iterator[Guess] = iter(())
        if rows:
            probabilities, places = class_probabilities(classifier(torch.stack(rows).float())).max(dim=1)
            guesses = map(Guess, places.tolist(), probabilities.tolist())
        outcomes = [row if isinstance(row, ItemError) else next(guesses) for row in features]
        thresholds = Thresholds(request.base.kind, "none")
        return Tried(outcomes, near_duplicates(request.classes, classifier.prototypes, thresholds))


def _class_key(request: CheckedRequest, one: ClassName) -> Hashable:
    """Equal keys mean equal prototypes."""
    return request.base_model, request.activation, tuple(request.wording.templates), one.wording


class _Kept(Generic[KeptT]):
    """What was used last, by its key. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, KeptT] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> KeptT | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: KeptT) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)
