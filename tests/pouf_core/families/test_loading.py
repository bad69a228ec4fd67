"""Base models asked for at once are loaded one after the other: transformers does not load in several threads."""

from __future__ import annotations

import gc
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from pouf_core.families.loading import BaseModelPool
from pouf_core.families.registry import FAMILIES


class Loaded:
    """As much of a base model as the pool asks for."""

    nbytes = 10

    def __init__(self, description: Any) -> None:
        self.description = description
        self.precision: str | None = None

    def computing_in(self, precision: str | None) -> Any:
        """The same, which remembers it."""
        self.precision = precision
        return self

    def offer_engine(self, offer: Any) -> None:
        """Take none."""


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were loaded, in order."""
    names: list[str] = []

    def load(description: Any, _device: Any) -> Loaded:
        names.append(description.name)
        return Loaded(description)

    for name, family in FAMILIES.items():
        monkeypatch.setitem(FAMILIES, name, replace(family, load=load))
    return names


def test_one_model_is_loaded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loading = threading.Semaphore(1)
    overlaps: list[str] = []

    def load(description: Any, _device: Any) -> Loaded:
        if not loading.acquire(blocking=False):
            overlaps.append(description.name)
            return Loaded(description)
        time.sleep(0.05)
        loading.release()
        return Loaded(description)

    for name, family in FAMILIES.items():
        monkeypatch.setitem(FAMILIES, name, replace(family, load=load))
    specs = ["hf-mlm:/a", "hf-causal:/b", "sentence:/c", "open_clip:/d", "hf-align:/e", "minilm"]
    pool = BaseModelPool()
    with ThreadPoolExecutor(len(specs)) as threads:
        found = list(threads.map(pool.get, specs))
    assert [model.description.name for model in found] == specs
    assert overlaps == []


@pytest.mark.usefixtures("loaded")
def test_the_models_of_a_pool_compute_in_its_precision() -> None:
    model: Any = BaseModelPool(precision="bfloat16").get("minilm")
    assert model.precision == "bfloat16"


def test_the_least_recently_used_models_are_unloaded_beyond_the_budget(loaded: list[str]) -> None:
    pool = BaseModelPool()
    for spec in ("hf-mlm:/a", "hf-mlm:/b", "hf-mlm:/c", "hf-mlm:/a"):
        pool.get(spec)
    pool.shrink(20, lambda _: True)
    assert pool.loaded() == ["hf-mlm:/a", "hf-mlm:/c"]
    assert pool.nbytes == 20
    gc.collect()
    pool.get("hf-mlm:/b")
    assert loaded == ["hf-mlm:/a", "hf-mlm:/b", "hf-mlm:/c", "hf-mlm:/b"]


def test_models_that_may_not_go_stay_and_so_does_the_one_used_last(loaded: list[str]) -> None:
    pool = BaseModelPool()
    for spec in ("hf-mlm:/a", "hf-mlm:/b", "hf-mlm:/c"):
        pool.get(spec)
    pool.shrink(1, lambda model: model.description.name != "hf-mlm:/a")
    assert pool.loaded() == ["hf-mlm:/a", "hf-mlm:/c"]


def test_an_unloaded_model_that_is_still_in_use_is_not_loaded_twice(loaded: list[str]) -> None:
    pool = BaseModelPool()
    used = pool.get("hf-mlm:/a")
    pool.get("hf-mlm:/b")
    pool.shrink(10, lambda _: True)
    assert pool.loaded() == ["hf-mlm:/b"]
    assert pool.get("hf-mlm:/a") is used
    assert pool.loaded() == ["hf-mlm:/a", "hf-mlm:/b"]
    assert loaded == ["hf-mlm:/a", "hf-mlm:/b"]


@pytest.mark.usefixtures("loaded")
def test_models_may_be_asked_for_and_unloaded_by_many_at_once() -> None:
    pool = BaseModelPool()
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def ask(caller: int) -> None:
        for number in range(300):
            pool.get(f"open_clip:{caller}/{number}")
            pool.shrink(300, lambda model: True)
            pool.loaded()

    try:
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(ask, range(6)))
    finally:
        sys.setswitchinterval(usual)
    assert pool.nbytes <= 300
