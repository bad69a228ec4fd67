"""Samples of uploads, read one at a time in a process of their own; owners take turns."""

import asyncio

from app.serving.turns import TurnThreads, Waiting
from pouf_core.contract.sample import Sample, SampleRequest
from pouf_core.data.uploads.sampling import take_sample

#: Beyond, requests are refused.
MOST_WAITING = 50


class Samples:
    """Reads samples."""

    def __init__(self) -> None:
        self._threads = TurnThreads(1, "samples")
        self._waiting = Waiting(MOST_WAITING, "samples are being read")

    async def take(self, request: SampleRequest, owner: str) -> Sample:
        """Return what was found.

        Raises:
            ApiError: 429 ``owner_overloaded`` or 503 ``overloaded`` when too many wait.
            InvalidInput: as `take_sample`.
        """
        with self._waiting.one(owner):
            return await asyncio.wrap_future(self._threads.submit(owner, lambda: take_sample(request)))

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()
