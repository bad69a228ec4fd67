"""From a request's sources to feature rows: pictures are decoded and preprocessed while others are encoded."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from app.http.budgets import Holding
from app.serving.batcher import Batcher, BatcherStopped
from app.serving.inputs import DecoderPool, Prepared, Reader, Source, decode, picture_bytes
from app.serving.outcomes import ItemError
from app.serving.turns import TurnThreads
from pouf_core.errors import InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

    from pouf_core.families.interface import SharedEncoder

Rows: TypeAlias = "Future[list[Tensor | ItemError]]"

#: Few, so that the encoder can begin with the first while the next are decoded.
PICTURES_AT_ONCE = 4
SPARE_THREADS = 1
#: How many batches of one request are decoded, or wait for the encoder, at a time.
BATCHES_AHEAD = 2


class Pipeline:
    """Decodes in threads of its own, so that nothing else waits behind a picture, and encodes through the batcher.

    Callers take turns in both.

    Args:
        batcher: encodes.
        decoders: decode pictures.
        threads: how many decode for one caller at a time; there is one more, so that nobody waits for the slow pictures
            of another.
        batch_size: of the batcher.
    """

    def __init__(
        self, batcher: "Batcher[Prepared, Tensor]", decoders: DecoderPool, threads: int, batch_size: int
    ) -> None:
        self._batcher = batcher
        self._decoders = decoders
        self._batch_size = batch_size
        self._threads = TurnThreads(threads + SPARE_THREADS, "decoding", most=threads)

    def close(self) -> None:
        """Decode nothing more."""
        self._threads.close()

    async def rows(
        self,
        sources: Sequence[Source],
        reader: Reader,
        encoder: "SharedEncoder",
        caller: str = "",
        holding: Holding | None = None,
    ) -> "list[Tensor | ItemError]":
        """Return each source's feature row, or why it has none.

        What a request's pictures take is granted by its `holding` before one of them is decoded. Raises `QueueFull`,
        `BatcherStopped`, or as `Budget.take`.
        """
        pictures = reader.modality == "image"
        work = _Work(reader, encoder, caller, holding if pictures else None)
        at_once = PICTURES_AT_ONCE if pictures else self._batch_size
        if len(sources) <= at_once:
            return await self._part(sources, work)
        if work.holding is not None:
            sources = await self._admitted(sources, work.holding)
            work = replace(work, holding=None)
        ahead = asyncio.Semaphore(max(1, BATCHES_AHEAD * self._batch_size // at_once))

        async def part(few: Sequence[Source]) -> "list[Tensor | ItemError]":
            async with ahead:
                return await self._part(few, work)

        starts = range(0, len(sources), at_once)
        tasks = [asyncio.ensure_future(part(sources[start : start + at_once])) for start in starts]
        try:
            return [row for rows in await asyncio.gather(*tasks) for row in rows]
        finally:
            for task in tasks:
                task.cancel()

    async def _part(self, sources: Sequence[Source], work: "_Work") -> "list[Tensor | ItemError]":
        """The rows of a few sources; the thread that decodes them hands them on to the batcher by itself."""
        rows: Rows = Future()
        with ExitStack() as stack:
            stack.enter_context(self._batcher.expecting(work.encoder, len(sources)))
            begun = self._threads.submit(work.caller, partial(self._begin, sources, work, rows))
            begun.add_done_callback(partial(_note_begun, rows, stack.pop_all()))
        rows.add_done_callback(lambda _: begun.cancel())
        return await asyncio.wrap_future(rows)

    def _begin(self, sources: Sequence[Source], work: "_Work", rows: "Rows") -> None:
        """Decode, and queue for the encoder, which makes the rows."""
        if rows.cancelled():
            return
        if work.holding is not None:
            sources, pixels = self._measure(sources, work.holding)
            work.holding.take_pixels(pixels)
        items = self._prepare(sources, work.reader, work.encoder)
        good = [item for item in items if not isinstance(item, ItemError)]
        errors = [item if isinstance(item, ItemError) else None for item in items]
        futures = self._batcher.submit(work.encoder, good, work.caller) if good else []
        rows.add_done_callback(partial(_withdraw, futures))
        _when_all_end(futures, partial(_fulfil, rows, errors, futures))

    async def _admitted(self, sources: Sequence[Source], holding: Holding) -> list[Source]:
        """The sources, pictures as the bytes of their files, once what decoding them takes was granted.

        A picture that its header rules out becomes an `InvalidInput`. Raises as `Budget.take`.
        """
        starts = range(0, len(sources), PICTURES_AT_ONCE)
        parts = [sources[start : start + PICTURES_AT_ONCE] for start in starts]
        futures = [self._threads.submit(holding.owner, partial(self._measure, part, holding)) for part in parts]
        measured = await asyncio.gather(*map(asyncio.wrap_future, futures))
        holding.take_pixels(sum(pixels for _, pixels in measured))
        return [source for few, _ in measured for source in few]

    def _measure(self, sources: Sequence[Source], holding: Holding) -> tuple[list[Source], int]:
        found: list[Source] = []
        pixels = 0
        for source in sources:
            if not isinstance(source, bytes | str):
                found.append(source)
                continue
            try:
                data = picture_bytes(source)
                holding.take_memory(len(data))
                width, height = self._decoders.size(data)
            except InvalidInput as error:
                found.append(error)
                continue
            found.append(data)
            pixels += width * height
        return found, pixels

    def _prepare(
        self, sources: Sequence[Source], reader: Reader, encoder: "SharedEncoder"
    ) -> list[Prepared | ItemError]:
        prepared: list[Prepared | ItemError] = []
        for source in sources:
            try:
                prepared.append(encoder.prepare(decode(source, reader, self._decoders.decode)))
            except InvalidInput as error:
                prepared.append(ItemError(error.code, error.message))
        return prepared


@dataclass(frozen=True)
class _Work:
    """What is done with sources; pictures of a `holding` have still to be granted."""

    reader: Reader
    encoder: "SharedEncoder"
    caller: str
    holding: Holding | None


def _note_begun(rows: "Rows", expecting: ExitStack, begun: "Future[None]") -> None:
    expecting.close()
    if begun.cancelled():
        rows.cancel()
    elif (error := begun.exception()) and rows.set_running_or_notify_cancel():
        rows.set_exception(error)


def _withdraw(futures: "list[Future[Tensor]]", rows: "Rows") -> None:
    """Take out of the queue what nobody waits for any more."""
    if rows.cancelled():
        for future in futures:
            future.cancel()


def _when_all_end(futures: "list[Future[Tensor]]", then: Callable[[], None]) -> None:
    ended = count(1)

    def note(_: "Future[Tensor]") -> None:
        if next(ended) == len(futures):
            then()

    for future in futures:
        future.add_done_callback(note)
    if not futures:
        then()


def _fulfil(rows: "Rows", errors: list[ItemError | None], futures: "list[Future[Tensor]]") -> None:
    """Let the request go on, once for all of its rows."""
    if not rows.set_running_or_notify_cancel():
        return
    ended = iter(futures)
    try:
        rows.set_result([_row_or_error(next(ended)) if error is None else error for error in errors])
    except BatcherStopped as error:
        rows.set_exception(error)


def _row_or_error(future: "Future[Tensor]") -> "Tensor | ItemError":
    """Raises `BatcherStopped`."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BatcherStopped):
        raise error
    if isinstance(error, InvalidInput):
        return ItemError(error.code, error.message)
    return ItemError("encoding_failed", f"The input could not be encoded: {error}")
