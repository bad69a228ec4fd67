"""Loading base models by name, whatever their family, and sharing loaded ones."""

from __future__ import annotations

import threading

import torch

from pouf_core.families.interface import BaseModel
from pouf_core.families.registry import describe, family_of

_loading = threading.Lock()
"""Held while a model is loaded: transformers changes global state meanwhile, and a second load would go wrong by it."""


def load_base_model(spec: str, device: torch.device | str = "cpu") -> BaseModel:
    """Load a base model; every call gives a network of its own. One is loaded at a time.

    Args:
        spec: a name that `pouf_core.families.registry.describe` knows.
        device: where to put it.

    Raises:
        InvalidInput: `unknown_base_model`, or `base_model_not_adaptable` with the reason, before any weights are read.
        PoufError: `base_model_unavailable` when its weights, or what else it needs, cannot be read or fetched.
    """
    description = describe(spec)
    with _loading:
        return family_of(spec).load(description, torch.device(device))


class BaseModelPool:
    """Base models loaded once and shared by everything that only reads them. Thread-safe.

    Args:
        device: where the pool's models live.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._models: dict[str, BaseModel] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, spec: str) -> BaseModel:
        """The model of that name, loaded by the first caller while others wait.

        Raises:
            InvalidInput, PoufError: as `load_base_model`.
        """
        with self._guard:
            lock = self._locks.setdefault(spec, threading.Lock())
        with lock:
            if spec not in self._models:
                self._models[spec] = load_base_model(spec, self.device)
            return self._models[spec]

    def loaded(self) -> list[str]:
        """Names of the models in memory."""
        return sorted(self._models)
