"""What every answer carries and every request must fit, so that a browser can be trusted with it."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REFUSED = "This host is not served here; start kb serve with --allow-host NAME to serve it."
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:]+))(?::\d+)?")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    # Nothing is fetched from elsewhere, no script or style stands within a page, and no other site may frame one.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}


class Guard:
    """Turns away requests for another host (DNS rebinding), and adds the headers above to every answer.

    Args:
        hosts: names of hosts that are served beside those of loopback, without a port.
        refused: what a request for another host is told, in one line.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), refused: str = _REFUSED) -> None:
        self.app = app
        self.refused = refused
        self.hosts = {*LOOPBACK, *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        # As it is read where it is answered: a name can be written in several ways.
        asked = QueryParams(scope["query_string"]).keys()

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["method"] == "POST" or "q" in asked:
                    # What is sent may be a case, and what is searched for a name: no cache keeps the answer.
                    headers["Cache-Control"] = "no-store"
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1 or _name(given[0]) not in self.hosts:
            answer = PlainTextResponse(f"{self.refused}\n", 421)
            await answer(scope, receive, guarded)
            return
        await self.app(scope, receive, guarded)


def _name(host: str) -> str:
    """The name in a Host header, without its port; "" where the header is malformed."""
    found = _HOST.fullmatch(host.strip().lower())
    return found[1] or found[2] if found else ""
