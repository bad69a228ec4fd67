"""Dynamic batching: items of different requests, and of different models over one encoder, share batches."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from app.serving.turns import Turns

logger = logging.getLogger(__name__)

RESTART_SECONDS = 0.1
#: How many times what is still free of the queue one caller may take, so that it never fills it for the others
#: (dynamic thresholds; Choudhury and Hahne, 1998).
TIMES_FREE = 4

ItemT = TypeVar("ItemT")
RowT = TypeVar("RowT")
ItemIn = TypeVar("ItemIn", contravariant=True)
RowOut = TypeVar("RowOut", covariant=True)


class Encoder(Protocol[ItemIn, RowOut]):
    """Turns items into one feature row each; encoders with equal keys give equal rows."""

    @property
    def key(self) -> str:
        """Return what equal encoders share."""

    @property
    def encode(self) -> Callable[[Sequence[ItemIn]], Collection[RowOut]]:
        """Return the function from items to their rows, in order."""


class QueueFull(Exception):
    """Too many items are waiting already."""


class BatcherStopped(Exception):
    """The item was not encoded because the batcher stopped or its thread failed."""


@dataclass(frozen=True)
class _Waiting(Generic[ItemT, RowT]):
    encoder: Encoder[ItemT, RowT]
    item: ItemT
    nbytes: int
    due: float
    future: "Future[RowT]"


class Batcher(Generic[ItemT, RowT]):
    """One thread that encodes up to `batch_size` items at a time.

    Args:
        batch_size: the most items in a batch.
        max_delay: maximum queue delay in seconds: how long an item waits for others that are about to come.
        max_items: the most items that wait; more are refused with `QueueFull`.
        max_bytes: about the most bytes of them.
        size: how many bytes an item takes in memory.
    """

    def __init__(
        self, batch_size: int, max_delay: float, max_items: int, max_bytes: int, size: Callable[[ItemT], int]
    ) -> None:
        self._batch_size = batch_size
        self._max_delay = max_delay
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._size = size
        self._waiting: Turns[_Waiting[ItemT, RowT]] = Turns()
        self._waiting_bytes = 0
        self._waiting_of: Counter[str] = Counter()  # by the encoder's key
        self._coming: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._current: list[_Waiting[ItemT, RowT]] = []
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._answering = ThreadPoolExecutor(1, "answering")
        self.batches = 0
        self.items = 0
        self.restarts = 0

    @property
    def depth(self) -> int:
        """How many items wait."""
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

    @contextmanager
    def expecting(self, encoder: Encoder[ItemT, RowT], count: int) -> Iterator[None]:
        """Say that so many items are about to come, for which others wait up to the maximum delay."""
        with self._changed:
            self._coming[encoder.key] += count
        try:
            yield
        finally:
            with self._changed:
                self._coming[encoder.key] -= count
                if not self._coming[encoder.key]:
                    del self._coming[encoder.key]
                    self._changed.notify_all()

    def submit(self, encoder: Encoder[ItemT, RowT], items: Sequence[ItemT], caller: str = "") -> "list[Future[RowT]]":
        """Queue `items`, all or none; every future ends with its item's row or an error of its own.

        Callers take turns within a batch. Cancelling a future takes its item out. Raises `QueueFull`, or
        `BatcherStopped`.
        """
        sizes = [self._size(item) for item in items]
        due = time.monotonic() + self._max_delay
        with self._changed:
            if self._stopping:
                raise BatcherStopped("the batcher is stopping")
            self._drop_cancelled()
            self._admit(caller, len(items), sum(sizes))
            added = [
                _Waiting[ItemT, RowT](encoder, item, size, due, Future())
                for item, size in zip(items, sizes, strict=True)
            ]
            for waiting in added:
                self._waiting.put(caller, waiting)
            self._waiting_bytes += sum(sizes)
            self._waiting_of[encoder.key] += len(added)
            self._ensure_thread()
            # only where it may change what the thread does: each time it has to wait for other threads
            if len(self._waiting) == len(added) or self._waiting_of[encoder.key] >= self._batch_size:
                self._changed.notify_all()
        return [waiting.future for waiting in added]

    def _admit(self, caller: str, count: int, nbytes: int) -> None:
        free = self._max_items - len(self._waiting)
        beyond_share = self._waiting.of(caller) + count > TIMES_FREE * free
        too_big = bool(self._waiting) and self._waiting_bytes + nbytes > self._max_bytes
        if count > free or beyond_share or too_big:
            raise QueueFull(f"{len(self._waiting)} items are waiting")

    def _drop_cancelled(self) -> None:
        if any(item.future.cancelled() for item in self._waiting):
            self._waiting.keep(lambda item: not item.future.cancelled())
            self._waiting_bytes = sum(item.nbytes for item in self._waiting)
            self._waiting_of = Counter(item.encoder.key for item in self._waiting)

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
        while self._encode_next():
            continue

    def _encode_next(self) -> bool:
        """A call of its own, so that no batch stays in memory until the next."""
        batch = self._next_batch()
        if batch is None:
            return False
        self._current = [item for item in batch if item.future.set_running_or_notify_cancel()]
        if self._current:
            self._encode(self._current)
        self._current = []
        return True

    def _next_batch(self) -> list[_Waiting[ItemT, RowT]] | None:
        with self._changed:
            while not self._stopping:
                if not self._waiting:
                    self._changed.wait()
                    continue
                first = self._waiting.first()
                key, left = first.encoder.key, first.due - time.monotonic()
                if left <= 0 or key not in self._coming or self._waiting_of[key] >= self._batch_size:
                    return self._take(key)
                self._changed.wait(left)
        return None

    def _take(self, key: str) -> list[_Waiting[ItemT, RowT]]:
        taken = self._waiting.take(self._batch_size, lambda item: item.encoder.key == key)
        self._waiting_bytes -= sum(item.nbytes for item in taken)
        self._waiting_of[key] -= len(taken)
        return taken

    def _encode(self, batch: list[_Waiting[ItemT, RowT]]) -> None:
        self.batches += 1
        self.items += len(batch)
        try:
            rows = _rows(batch[0].encoder, [waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the items' answer
            self._encode_one_by_one(batch, error)
            return
        # each answer wakes another thread, and this one should not wait for any of them with the next batch
        self._answering.submit(_answer, [waiting.future for waiting in batch], rows)

    def _encode_one_by_one(self, batch: list[_Waiting[ItemT, RowT]], error: Exception) -> None:
        """Find out which item a failed batch failed on, so that only that one fails."""
        if len(batch) == 1:
            logger.warning("an item could not be encoded: %s", error)
            batch[0].future.set_exception(error)
            return
        for waiting in batch:
            try:
                (row,) = _rows(waiting.encoder, [waiting.item])
                waiting.future.set_result(row)
            except Exception as single:  # noqa: BLE001 - as above
                logger.warning("an item could not be encoded: %s", single)
                waiting.future.set_exception(single)

    def _fail_current(self, error: BaseException) -> None:
        for item in self._current:
            if not item.future.done():
                item.future.set_exception(BatcherStopped(f"the batcher failed: {error!r}"))
        self._current = []

    def _fail_all(self) -> None:
        with self._changed:
            waiting, self._waiting, self._waiting_bytes = self._waiting, Turns(), 0
            self._waiting_of.clear()
        for item in waiting:
            if item.future.set_running_or_notify_cancel():
                item.future.set_exception(BatcherStopped("the batcher stopped"))


def _answer(futures: "list[Future[RowT]]", rows: Collection[RowT]) -> None:
    for future, row in zip(futures, rows, strict=True):
        future.set_result(row)


def _rows(encoder: Encoder[ItemT, RowT], items: list[ItemT]) -> Collection[RowT]:
    rows = encoder.encode(items)
    if len(rows) != len(items):
        raise RuntimeError(f"the encoder gave {len(rows)} rows for {len(items)} items")
    return rows
