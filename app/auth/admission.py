"""Middleware that counts what requests hold in memory, and refuses what does not fit."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.identity import Identity
from app.http.budgets import Budgets, Holding

#: What a body takes that goes to disk as it comes: a block, and what was received meanwhile.
STREAMED_BYTES = 2 * 1024**2


class Admission:
    """ASGI middleware after authentication; `is_streamed(path)` tells bodies that go to disk from those kept whole."""

    def __init__(self, app: ASGIApp, budgets: Budgets, is_streamed: Callable[[str], bool]) -> None:
        self.app = app
        self.budgets = budgets
        self.is_streamed = is_streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "identity" not in scope:
            await self.app(scope, receive, send)
            return
        identity: Identity = scope["identity"]
        with self.budgets.holding(identity.owner, alone=identity.limits is None) as holding:
            scope["holding"] = holding
            holding.take_request()
            counted = _once(receive, holding) if self.is_streamed(scope["path"]) else _counted(receive, holding)
            await self.app(scope, counted, send)


def _counted(receive: Receive, holding: Holding) -> Receive:
    async def counted() -> Message:
        message = await receive()
        if body := message.get("body"):
            holding.take_memory(len(body))
        return message

    return counted


def _once(receive: Receive, holding: Holding) -> Receive:
    begun = False

    async def counted() -> Message:
        nonlocal begun
        if not begun:
            begun = True
            holding.take_memory(STREAMED_BYTES)
        return await receive()

    return counted
