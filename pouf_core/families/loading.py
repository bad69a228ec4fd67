"""Loading base models by name, whatever their family, and sharing loaded ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakValueDictionary

import torch

from pouf_core.contract.activation import ActivationChoice
from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.method import Precision
from pouf_core.engines.interface import EngineOffer
from pouf_core.families.interface import BaseModel
from pouf_core.families.registry import describe, family_of

_Asked = tuple[str, ActivationChoice | None]
_loading = threading.Lock()
"""Held while a model is loaded: transformers changes global state meanwhile, and a second load would go wrong by it."""


def load_base_model(
    spec: str, device: torch.device | str = "cpu", activation: ActivationChoice | None = "auto"
) -> BaseModel:
    """Load a base model; every call gives a network of its own. One is loaded at a time.

    Args:
        spec: a name that `pouf_core.families.registry.describe` knows.
        device: where to put it.
        activation: of an `open_clip:` model, see `AdaptationRequest`. None: as its architecture has it, whatever is
            known of the weights, which is how models without a record of it were adapted.

    Raises:
        InvalidInput: `unknown_base_model`, or `base_model_not_adaptable` with the reason, before any weights are read.
        PoufError: `base_model_unavailable` when its weights, or what else it needs, cannot be read or fetched.
    """
    description = describe(spec)
    description.check_activation(activation or "auto")
    if description.activation is not None:
        description = replace(description, activation=activation)
    with _loading:
        return family_of(spec).load(description, torch.device(device))


class BaseModelPool:
    """Base models loaded once and shared by everything that only reads them. Thread-safe.

    Args:
        device: where the pool's models live.
        engine: what they are offered; None for PyTorch alone.
        precision: what they compute in; None for what suits the device.
    """

    def __init__(
        self,
        device: torch.device | str = "cpu",
        engine: EngineOffer | None = None,
        precision: Precision | None = None,
    ) -> None:
        self.device = torch.device(device)
        self._engine = engine
        self._precision = precision
        self._models: OrderedDict[_Asked, BaseModel] = OrderedDict()  # the least recently used first
        self._alive: WeakValueDictionary[_Asked, BaseModel] = WeakValueDictionary()  # those unloaded but in use, too
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, spec: str, activation: ActivationChoice | None = "auto") -> BaseModel:
        """The model of that name and activation, loaded by the first caller while others wait.

        Raises:
            InvalidInput, PoufError: as `load_base_model`.
        """
        with self._guard:
            lock = self._locks.setdefault(spec, threading.Lock())
        asked = spec, activation if describe(spec).activation is not None else None
        with lock:
            model = self._living().get(asked) or self._loaded_with(spec, activation) or self._load(spec, activation)
            with self._guard:
                self._alive[asked] = model
        self.touch(model)
        return model

    def touch(self, model: BaseModel) -> None:
        """Note that one of the pool's models is used; it is kept again if it was unloaded meanwhile."""
        with self._guard:
            for asked in [asked for asked, other in self._alive.items() if other is model]:
                self._models[asked] = model
                self._models.move_to_end(asked)

    @property
    def nbytes(self) -> int:
        """Bytes of the models in memory."""
        with self._guard:
            return sum(model.nbytes for model in self._unique())

    def shrink(self, budget: int, may_go: Callable[[BaseModel], bool]) -> bool:
        """Unload the least recently used models until the rest fits; the one used last stays.

        Args:
            budget: bytes.
            may_go: makes sure that nothing keeps a model that is to be unloaded, or answers False.

        Returns:
            Whether any was unloaded; its memory is the system's again once garbage is collected and memory given back.
        """
        with self._guard:
            candidates = self._unique()[:-1]
        unloaded = False
        for model in candidates:
            if self.nbytes <= budget:
                break
            if may_go(model):
                with self._guard:
                    for asked in [asked for asked, other in self._models.items() if other is model]:
                        del self._models[asked]
                unloaded = True
        return unloaded

    def _living(self) -> dict[_Asked, BaseModel]:
        """Those that somebody has; even looking one up changes a dictionary of weak references."""
        with self._guard:
            return dict(self._alive.items())

    def _unique(self) -> list[BaseModel]:
        return list({id(model): model for model in self._models.values()}.values())

    def _load(self, spec: str, activation: ActivationChoice | None) -> BaseModel:
        """The model, loaded; or one that is there already, where `auto` turns out to be its activation."""
        others = any(name == spec for name, _ in self._living())
        model = load_base_model(spec, self.device, activation).computing_in(self._precision)
        model.offer_engine(self._engine)
        return (self._loaded_with(spec, model.description.activation_used) if others else None) or model

    def _loaded_with(self, spec: str, activation: ActivationChoice | None) -> BaseModel | None:
        models = [model for (name, _), model in self._living().items() if name == spec]
        return next((model for model in models if model.description.activation_used == activation), None)

    def engines(self) -> dict[str, EngineUsed | None]:
        """What runs each model in memory, by its name."""
        return {spec: model.engine_used for (spec, _), model in list(self._models.items())}

    def loaded(self) -> list[str]:
        """Names of the models in memory."""
        return sorted({spec for spec, _ in list(self._models)})
