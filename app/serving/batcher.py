"""Pictures of different requests, and of different models over one encoder, travel through it together."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from pouf_core.data.texts import TextItem

logger = logging.getLogger(__name__)

RESTART_SECONDS = 0.1


class Encoder(Protocol):
    """Turns pictures into one feature row each; encoders with equal keys do exactly the same."""

    @property
    def key(self) -> str:
        """Return what equal encoders share."""

    @property
    def encode(self) -> Callable[[Sequence[Any]], Any]:
        """Return the function from pictures to their features, in order."""


class QueueFull(Exception):
    """Too many pictures are waiting already."""


class BatcherStopped(Exception):
    """The picture was not encoded because the batcher stopped or its thread failed."""


@dataclass(frozen=True)
class _Item:
    encoder: Encoder
    image: Any
    nbytes: int
    due: float
    future: "Future[Any]"


class Batcher:
    """One thread that encodes up to `batch_size` pictures at a time, waiting `max_delay` seconds for company.

    At most `max_items` pictures and about `max_bytes` of them wait; more are refused with `QueueFull`.
    """

    def __init__(self, batch_size: int, max_delay: float, max_items: int, max_bytes: int) -> None:
        self._batch_size = batch_size
        self._max_delay = max_delay
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._waiting: deque[_Item] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._current: list[_Item] = []
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.batches = 0
        self.items = 0
        self.restarts = 0

    @property
    def depth(self) -> int:
        """How many pictures wait."""
        return len(self._waiting)

    def start(self) -> None:
        """Start the thread; a stopped batcher can be started again."""
        with self._changed:
            self._stopping = False
            self._ensure_thread()

    def stop(self) -> None:
        """Stop after the batch in progress and fail everything that still waits."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        self._fail_all()

    def submit(self, encoder: Encoder, images: Sequence[Any]) -> "list[Future[Any]]":
        """Queue `images`, all or none; every future ends with that picture's features or its own error.

        Cancelling a future takes its picture out. Raises `QueueFull`, or `BatcherStopped`.
        """
        sizes = [input_bytes(image) for image in images]
        due = time.monotonic() + self._max_delay
        with self._changed:
            if self._stopping:
                raise BatcherStopped("the batcher is stopping")
            self._drop_cancelled()
            self._admit(len(images), sum(sizes))
            items = [_Item(encoder, image, size, due, Future()) for image, size in zip(images, sizes, strict=True)]
            self._waiting.extend(items)
            self._waiting_bytes += sum(sizes)
            self._ensure_thread()
            self._changed.notify_all()
        return [item.future for item in items]

    def _admit(self, count: int, nbytes: int) -> None:
        too_many = len(self._waiting) + count > self._max_items
        too_big = bool(self._waiting) and self._waiting_bytes + nbytes > self._max_bytes
        if too_many or too_big:
            raise QueueFull(f"{len(self._waiting)} pictures are waiting")

    def _drop_cancelled(self) -> None:
        if any(item.future.cancelled() for item in self._waiting):
            self._waiting = deque(item for item in self._waiting if not item.future.cancelled())
            self._waiting_bytes = sum(item.nbytes for item in self._waiting)

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._supervise, name="batcher", daemon=True)
            self._thread.start()

    def _supervise(self) -> None:
        """Run until stopped; whatever kills the loop fails the batch in progress and starts the loop again."""
        while not self._stopping:
            try:
                self._loop()
            except BaseException as error:
                logger.exception("the batcher failed and starts again")
                self.restarts += 1
                self._fail_current(error)
                time.sleep(RESTART_SECONDS)

    def _loop(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._current = [item for item in batch if item.future.set_running_or_notify_cancel()]
            if self._current:
                self._encode(self._current)
            self._current = []

    def _next_batch(self) -> list[_Item] | None:
        with self._changed:
            while not self._stopping:
                if not self._waiting:
                    self._changed.wait()
                    continue
                first = self._waiting[0]
                left = first.due - time.monotonic()
                if left <= 0 or self._count(first.encoder.key) >= self._batch_size:
                    return self._take(first.encoder.key)
                self._changed.wait(left)
        return None

    def _count(self, key: str) -> int:
        return sum(item.encoder.key == key for item in self._waiting)

    def _take(self, key: str) -> list[_Item]:
        taken: list[_Item] = []
        left: deque[_Item] = deque()
        for item in self._waiting:
            fits = item.encoder.key == key and len(taken) < self._batch_size
            (taken if fits else left).append(item)
        self._waiting = left
        self._waiting_bytes = sum(item.nbytes for item in left)
        return taken

    def _encode(self, items: list[_Item]) -> None:
        self.batches += 1
        self.items += len(items)
        try:
            features = items[0].encoder.encode([item.image for item in items])
            if len(features) != len(items):
                raise RuntimeError(f"the encoder gave {len(features)} rows for {len(items)} pictures")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the pictures' answer
            self._encode_one_by_one(items, error)
            return
        for item, row in zip(items, features, strict=True):
            item.future.set_result(row)

    def _encode_one_by_one(self, items: list[_Item], error: Exception) -> None:
        """Find out which picture a failed batch failed on, so that only that one fails."""
        if len(items) == 1:
            logger.warning("a picture could not be encoded: %s", error)
            items[0].future.set_exception(error)
            return
        for item in items:
            try:
                item.future.set_result(item.encoder.encode([item.image])[0])
            except Exception as single:  # noqa: BLE001 - as above
                logger.warning("a picture could not be encoded: %s", single)
                item.future.set_exception(single)

    def _fail_current(self, error: BaseException) -> None:
        for item in self._current:
            if not item.future.done():
                item.future.set_exception(BatcherStopped(f"the batcher failed: {error!r}"))
        self._current = []

    def _fail_all(self) -> None:
        with self._changed:
            waiting, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        for item in waiting:
            if item.future.set_running_or_notify_cancel():
                item.future.set_exception(BatcherStopped("the batcher stopped"))


def input_bytes(image: Any) -> int:
    """Return about how many bytes an input takes in memory: a picture's pixels, a text's characters."""
    if isinstance(image, str | TextItem):
        return len(image)
    size = getattr(image, "size", None)
    return int(size[0]) * int(size[1]) * 3 if isinstance(size, tuple) and len(size) == 2 else 0
