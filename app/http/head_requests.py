"""HEAD (RFC 9110, 9.3.2): what GET would answer, without the body; uptime checks and link checkers ask so."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """ASGI middleware: `app` sees a GET, and its answer ends where the body would begin."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:  # a stream of events would go on for minutes
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        # a copy: the server reads from its own that the answer has no body
        await self.app({**scope, "method": "GET"}, receive, send_head)
