"""Authentication before anything else: no body is read, and no route found, for a request without a valid key."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.state import State

# what machines probe, and the documentation, which says nothing of what is stored
OPEN_PATHS = frozenset({"/health/live", "/health/ready", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"})


class Authentication:
    """ASGI middleware that puts the identity behind each request into its scope."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            state: State = scope["app"].state.pouf
            header = Request(scope).headers.get("authorization")
            scope["identity"] = await run_in_threadpool(state.authenticator.identify, header, scope.get("server"))
        await self.app(scope, receive, send)
