"""Headers that tell browsers to trust answers with as little as they need, and caches to keep nothing."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.page_paths import is_page

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# one page with its styles and pictures in it, and names that users chose
REPORT = f"{NOTHING}; style-src 'unsafe-inline'; img-src data:; sandbox"
# pages for people, whose scripts, styles and fonts are files of this service
PAGE = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; script-src 'self'; "
    "style-src 'self'; img-src 'self' blob:; connect-src 'self'"
)
# Swagger UI and the guide's theme draw their icons from their own style sheets
DOCS = f"{NOTHING}; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_GUIDE_PATH = re.compile(r"/guide(/.*)?")
_REPORT_PATH = re.compile(r"/v1/jobs/[^/]+/report/?")
# browsers send no `Origin` with a form whose page sends no referrer at all
_PAGE_HEADERS = {"Referrer-Policy": "same-origin"}


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
                headers.update(_headers(scope["path"]))
                # answers are their caller's own; routes that let clients ask again with an ETag say so themselves
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


def policy(path: str) -> str:
    """Return the content security policy of what is at `path`."""
    if _REPORT_PATH.fullmatch(path):
        return REPORT
    if path == "/docs" or _GUIDE_PATH.fullmatch(path):
        return DOCS
    return PAGE if is_page(path) else NOTHING


def _headers(path: str) -> dict[str, str]:
    headers = {**EVERYWHERE, "Content-Security-Policy": policy(path)}
    return headers | _PAGE_HEADERS if is_page(path) else headers
