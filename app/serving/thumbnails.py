"""Small copies of pictures to show, made beside predictions, which they take no decoder from."""

import asyncio
import io
from collections.abc import Callable

from app.http.budgets import Holding
from app.serving.inputs import DecoderPool
from app.serving.turns import TurnThreads, Waiting
from pouf_core.data.decoder import DecoderLimits
from store.settings import Settings

MEDIA_TYPE = "image/jpeg"
#: Beyond, requests are refused; a page shows far fewer.
MOST_WAITING = 500
#: One thumbnail of each at a time, so that nobody waits for the slow pictures of another.
OWNERS_AT_ONCE = 2
_QUALITY = 85


class Thumbnails:
    """Makes thumbnails in processes that are started when they are first needed; owners take turns."""

    def __init__(self, settings: Settings) -> None:
        limits = DecoderLimits(settings.decode_memory_bytes, settings.decode_cpu_seconds)
        self._decoders = DecoderPool(OWNERS_AT_ONCE, limits, settings.max_pixels)
        self._threads = TurnThreads(OWNERS_AT_ONCE, "thumbnails", most=1)
        self._waiting = Waiting(MOST_WAITING, "thumbnails are being made")

    async def make(self, size: int, read: Callable[[], bytes], holding: Holding) -> bytes:
        """Return a JPEG of at most 256 x 256 pixels, without the picture's metadata.

        Args:
            size: bytes of the picture's file, which are granted before it is read.
            read: gives the file.
            holding: of the request.

        Raises:
            ApiError: 503 ``overloaded`` when too many wait, or as `Budget.take`.
            InvalidInput: as `Decoder.thumbnail`.
        """

        def work() -> bytes:
            holding.take_memory(size)
            return self._thumbnail(read())

        with self._waiting.one(holding.owner):
            return await asyncio.wrap_future(self._threads.submit(holding.owner, work))

    def close(self) -> None:
        """Make nothing more."""
        self._threads.close()
        self._decoders.close()

    def _thumbnail(self, data: bytes) -> bytes:
        target = io.BytesIO()
        self._decoders.thumbnail(data).save(target, "JPEG", quality=_QUALITY)
        return target.getvalue()
