"""The slow-client timeout of a request's body: how long it may keep the service waiting."""

import asyncio
import time

from starlette.types import Message, Receive

from app.http.errors import ApiError

#: The minimum data rate: a body that comes at least this fast never times out.
MINIMUM_BYTES_PER_SECOND = 1024
#: That of bodies that are kept in memory until they are complete.
MINIMUM_BYTES_PER_SECOND_IN_MEMORY = 16 * 1024


class ClientStalled(ApiError):
    """The 408 that also closes the connection."""


def with_slow_client_timeout(
    receive: Receive, seconds: float, bytes_per_second: int = MINIMUM_BYTES_PER_SECOND
) -> Receive:
    """Return `receive` that raises 408 ``client_stalled`` when the body stops, or comes below `bytes_per_second`.

    At first `seconds` are left. Waiting for the client uses them up and each byte gives some back, up to `seconds`
    again. Once the body is complete, waiting for the client to leave may take any time.
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
        left = min(seconds, left + len(message.get("body", b"")) / bytes_per_second)
        complete = not message.get("more_body", False)
        return message

    return received


def _stalled(seconds: float) -> ClientStalled:
    detail = f"The request body kept the service waiting for {seconds:g} seconds."
    return ClientStalled(408, "client_stalled", detail, headers={"Connection": "close"})
