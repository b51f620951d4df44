"""The bodies of requests: how large they may be, and that whoever sends a larger one hears the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The largest body of a request, in bytes.
MAX_BODY = 16 * 1024 * 1024
# Longest time in which a body must have come, in seconds.
BODY_SECONDS = 30.0
# What was not read when the answer was given is read away: so many bytes, for so many seconds.
MAX_REST, REST_SECONDS = 4 * MAX_BODY, 10.0
TOO_SLOW = "the body did not come in time; send it at once"
TOO_LARGE = f"a body of more than {MAX_BODY // 2**20} MiB; send less"


class Limited:
    """Answers 413 to a request whose body is too large: at once where it says so, else when it has become so.

    A body that does not come in time is answered 408.

    Args:
        too_large: the answer to a request that says so.
        is_streamed: whether a body is read as it comes, and so may be of any length.
    """

    def __init__(
        self,
        app: ASGIApp,
        too_large: Callable[[Scope], Response],
        is_streamed: Callable[[Scope], bool] = lambda scope: False,
    ) -> None:
        self.app = app
        self.too_large = too_large
        self.is_streamed = is_streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.is_streamed(scope):
            await self.app(scope, receive, send)
            return
        if _length(scope) > MAX_BODY:
            await self.too_large(scope)(scope, receive, send)
            return
        size, whole = 0, not _comes(scope)
        until = asyncio.get_running_loop().time() + BODY_SECONDS

        async def limited() -> Message:
            nonlocal size, whole
            try:
                # After the body there is nothing to come but that the client goes, which may take as long as it likes.
                async with asyncio.timeout_at(None if whole else until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, TOO_SLOW, {"Connection": "close"}) from None
            whole = not message.get("more_body", False)
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                raise HTTPException(413, TOO_LARGE)
            return message

        await self.app(scope, limited, send)


class ReadAway:
    """Reads away what an answer left unread of a body, before the answer ends.

    Else the server closes a connection on which data still comes, and then the system resets it: a program that sends
    all before it reads would get an error instead of the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _comes(scope):
            await self.app(scope, receive, send)
            return
        whole = False

        async def heard() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body", False)
            return message

        async def answered(message: Message) -> None:
            if whole or message["type"] != "http.response.body" or message.get("more_body", False):
                await send(message)
                return
            await send({**message, "more_body": True})
            left = MAX_REST
            with suppress(TimeoutError):
                async with asyncio.timeout(REST_SECONDS):
                    while left > 0 and not whole:
                        left -= len((await heard()).get("body", b""))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self.app(scope, heard, answered)


def _length(scope: Scope) -> int:
    """The length of the body as the request says it, which the server has checked; 0 where it does not."""
    return int(Headers(scope=scope).get("content-length", 0))


def _comes(scope: Scope) -> bool:
    """Whether a body comes, whatever is answered: one that waits to be asked for (100-continue) does not."""
    headers = Headers(scope=scope)
    waits = headers.get("expect", "").lower() == "100-continue"
    return ("transfer-encoding" in headers or _length(scope) > 0) and not waits
