"""From a request's sources to feature rows: pictures are decoded and preprocessed while others are encoded."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from app.http.budgets import Holding
from app.serving.batcher import Batcher, BatcherStopped
from app.serving.inputs import DecoderPool, Prepared, Reader, Source, decode, picture_bytes
from app.serving.outcomes import ItemError
from app.serving.turns import TurnThreads
from pouf_core.errors import InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

    from pouf_core.families.interface import SharedEncoder

#: Few, so that the encoder can begin with the first while the next are decoded.
PICTURES_AT_ONCE = 4
#: How many batches of one request are decoded, or wait for the encoder, at a time.
BATCHES_AHEAD = 2


class Pipeline:
    """Decodes in threads of its own, so that nothing else waits behind a picture, and encodes through the batcher.

    Callers take turns in both.

    Args:
        batcher: encodes.
        decoders: decode pictures.
        threads: how many sources are decoded at a time.
        batch_size: of the batcher.
    """

    def __init__(
        self, batcher: "Batcher[Prepared, Tensor]", decoders: DecoderPool, threads: int, batch_size: int
    ) -> None:
        self._batcher = batcher
        self._decoders = decoders
        self._batch_size = batch_size
        self._threads = TurnThreads(threads, "decoding")

    def close(self) -> None:
        """Decode nothing more."""
        self._threads.close()

    async def admitted(self, sources: Sequence[Source], holding: Holding) -> list[Source]:
        """Return the sources, pictures as the bytes of their files, once what decoding them takes was granted.

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

    async def rows(
        self, sources: Sequence[Source], reader: Reader, encoder: "SharedEncoder", caller: str = ""
    ) -> "list[Tensor | ItemError]":
        """Return each source's feature row, or why it has none; raises `QueueFull` or `BatcherStopped`."""
        at_once = PICTURES_AT_ONCE if reader.modality == "image" else self._batch_size
        ahead = asyncio.Semaphore(max(1, BATCHES_AHEAD * self._batch_size // at_once))

        async def part(few: Sequence[Source]) -> "list[Tensor | ItemError]":
            async with ahead:
                with self._batcher.expecting(encoder, len(few)):
                    prepare = partial(self._prepare, few, reader, encoder)
                    items = await asyncio.wrap_future(self._threads.submit(caller, prepare))
                    futures = self._submit(encoder, items, caller)
                return await _rows(items, futures)

        starts = range(0, len(sources), at_once)
        tasks = [asyncio.ensure_future(part(sources[start : start + at_once])) for start in starts]
        try:
            return [row for rows in await asyncio.gather(*tasks) for row in rows]
        finally:
            for task in tasks:
                task.cancel()

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

    def _submit(
        self, encoder: "SharedEncoder", items: list[Prepared | ItemError], caller: str
    ) -> "list[Future[Tensor]]":
        good = [item for item in items if not isinstance(item, ItemError)]
        return self._batcher.submit(encoder, good, caller) if good else []


async def _rows(items: list[Prepared | ItemError], futures: "list[Future[Tensor]]") -> "list[Tensor | ItemError]":
    """Replace the items by their features, or by an error."""
    try:
        results = await asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
    except asyncio.CancelledError:
        for future in futures:
            future.cancel()
        raise
    rows = iter(results)
    return [item if isinstance(item, ItemError) else _row_or_error(next(rows)) for item in items]


def _row_or_error(result: "Tensor | BaseException") -> "Tensor | ItemError":
    if isinstance(result, BatcherStopped):
        raise result
    if isinstance(result, InvalidInput):
        return ItemError(result.code, result.message)
    if isinstance(result, BaseException):
        return ItemError("encoding_failed", f"The input could not be encoded: {result}")
    return result
