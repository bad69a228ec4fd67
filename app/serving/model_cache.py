"""Loaded models under a byte budget."""

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

LOADING_THREADS = 2


class Sized(Protocol):
    """Something that knows how many bytes it holds."""

    nbytes: int


Loaded = TypeVar("Loaded", bound=Sized)


@dataclass
class _Entry(Generic[Loaded]):
    future: "Future[Loaded]" = field(default_factory=Future)
    pins: int = 0
    nbytes: int = 0


class ModelCache(Generic[Loaded]):
    """Loads each model once however many ask for it, keeps it while in use, forgets the least recently used first.

    Models in use may exceed `budget` bytes for as long as they are in use.
    """

    def __init__(self, load: Callable[[str], Loaded], budget: int) -> None:
        self._load = load
        self._budget = budget
        self._entries: OrderedDict[str, _Entry[Loaded]] = OrderedDict()
        self._used = 0  # bytes; summing over thousands of models would take each request its time
        self._lock = threading.Lock()
        self._loaders = ThreadPoolExecutor(LOADING_THREADS, thread_name_prefix="model-loader")

    @asynccontextmanager
    async def lease(self, key: str) -> AsyncIterator[Loaded]:
        """Yield the model, loaded if need be, and keep it loaded until the block ends; raises what loading raises."""
        entry = self._pin(key)
        try:
            # shielded: a caller that leaves must not take the model away from the others
            yield await asyncio.shield(asyncio.wrap_future(entry.future))
        finally:
            self._unpin(key, entry)

    def discard(self, key: str) -> None:
        """Forget a model; those who use it may finish."""
        with self._lock:
            self._remove(key)

    def discard_unused(self, matches: Callable[[Loaded], bool]) -> bool:
        """Forget the loaded models that match, all of them, or none and answer False where one of them is in use."""
        with self._lock:
            loaded = {key: entry for key, entry in self._entries.items() if entry.future.done()}
            found = [key for key, entry in loaded.items() if matches(entry.future.result())]
            if any(loaded[key].pins for key in found):
                return False
            for key in found:
                self._remove(key)
            return True

    def usage(self) -> dict[str, int]:
        """Return the number of models kept, the bytes they hold and how many are in use."""
        with self._lock:
            entries, used = list(self._entries.values()), self._used
        return {
            "models": len(entries),
            "bytes": used,
            "pinned": sum(entry.pins > 0 for entry in entries),
        }

    def close(self) -> None:
        """Load nothing more and forget everything."""
        self._loaders.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            self._entries.clear()
            self._used = 0

    def _pin(self, key: str) -> _Entry[Loaded]:
        with self._lock:
            entry = self._entries.get(key)
            first = entry is None
            if entry is None:
                entry = self._entries[key] = _Entry()
            entry.pins += 1
            self._entries.move_to_end(key)
        if first:
            self._loaders.submit(self._fill, key, entry)
        return entry

    def _unpin(self, key: str, entry: _Entry[Loaded]) -> None:
        with self._lock:
            entry.pins -= 1
            self._evict()

    def _fill(self, key: str, entry: _Entry[Loaded]) -> None:
        try:
            loaded = self._load(key)
        except BaseException as error:
            logger.exception("model %s could not be loaded", key)
            with self._lock:
                if self._entries.get(key) is entry:
                    self._remove(key)
            entry.future.set_exception(error)
            return
        with self._lock:
            entry.future.set_result(loaded)
            if self._entries.get(key) is entry:
                entry.nbytes = loaded.nbytes
                self._used += entry.nbytes
            self._evict()

    def _evict(self) -> None:
        if self._used <= self._budget:
            return
        for key, entry in list(self._entries.items()):
            if entry.pins == 0 and entry.future.done():
                self._remove(key)
            if self._used <= self._budget:
                return

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used -= entry.nbytes
