"""Base models asked for at once are loaded one after the other: transformers does not load in several threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pouf_core.families.loading import BaseModelPool
from pouf_core.families.registry import FAMILIES


def test_one_model_is_loaded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loading = threading.Semaphore(1)
    overlaps: list[str] = []

    def load(description: Any, _device: Any) -> SimpleNamespace:
        if not loading.acquire(blocking=False):
            overlaps.append(description.name)
            return SimpleNamespace(description=description, offer_engine=lambda _: None)
        time.sleep(0.05)
        loading.release()
        return SimpleNamespace(description=description, offer_engine=lambda _: None)

    for name, family in FAMILIES.items():
        monkeypatch.setitem(FAMILIES, name, replace(family, load=load))
    specs = ["hf-mlm:/a", "hf-causal:/b", "sentence:/c", "open_clip:/d", "hf-align:/e", "minilm"]
    pool = BaseModelPool()
    with ThreadPoolExecutor(len(specs)) as threads:
        found = list(threads.map(pool.get, specs))
    assert [model.description.name for model in found] == specs
    assert overlaps == []
