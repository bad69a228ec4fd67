"""How long a request's body may keep the service waiting."""

import asyncio
import time

from starlette.types import Message, Receive

from app.http.errors import ApiError

#: A body that goes on at this rate never runs out of patience.
LEAST_BYTES_PER_SECOND = 1024


class ClientStalled(ApiError):
    """The 408 that also closes the connection."""


def patient(receive: Receive, seconds: float) -> Receive:
    """Return `receive` that raises 408 ``client_stalled`` when the body stops, or drips, for `seconds`.

    Waiting uses patience up and each byte earns some back, up to `seconds`. Only waiting for the client counts; once
    the body is complete, waiting for the client to leave may take any time.
    """
    left = seconds
    complete = False

    async def received() -> Message:
        nonlocal left, complete
        if complete:
            return await receive()
        started = time.monotonic()
        try:
            async with asyncio.timeout(left):
                message = await receive()
        except TimeoutError as error:
            raise _stalled(seconds) from error
        left = max(left - (time.monotonic() - started), 0.0)
        left = min(seconds, left + len(message.get("body", b"")) / LEAST_BYTES_PER_SECOND)
        complete = not message.get("more_body", False)
        return message

    return received


def _stalled(seconds: float) -> ClientStalled:
    detail = f"The request body kept the service waiting for {seconds:g} seconds."
    return ClientStalled(408, "client_stalled", detail, headers={"Connection": "close"})
