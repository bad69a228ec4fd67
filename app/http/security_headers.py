"""Headers that tell browsers to trust answers with as little as they need, and caches to keep nothing."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# one page with its styles in it, and names that users chose
REPORT = f"{NOTHING}; style-src 'unsafe-inline'; sandbox"
# FastAPI's pages: their scripts come from a CDN and are started by one in the page
DOCS = (
    f"{NOTHING}; connect-src 'self'; "
    "script-src 'unsafe-inline' https://cdn.jsdelivr.net; worker-src blob:; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    "font-src https://fonts.gstatic.com; img-src data: https://fastapi.tiangolo.com https://cdn.redoc.ly"
)
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_REPORT_PATH = re.compile(r"/v1/jobs/[^/]+/report/?")
_DOCS_PATHS = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc"})


class SecurityHeaders:
    """ASGI middleware, the outermost: refusals carry the headers too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**EVERYWHERE, "Content-Security-Policy": policy(scope["path"])})
                # answers are their caller's own; routes that let clients ask again with an ETag say so themselves
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


def policy(path: str) -> str:
    """Return the content security policy of what is at `path`."""
    if _REPORT_PATH.fullmatch(path):
        return REPORT
    return DOCS if path in _DOCS_PATHS else NOTHING
