"""What the protocol's reader of JSON would lose of a call without a word: a key that stands twice, digits of a number.

The one could be a second grade, the other what lies between below and not below a limit. Such a call is refused: in
place of its arguments stands the reason.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kb_tools.serve.bodies import MAX_BODY, TOO_LARGE

# The argument that stands in place of all others.
LOST = "//lost"
_TWICE = "a key stands twice in one object; keep one"
_DIGITS = "a number has more digits than are read exactly; send the case as a text, in which all are read"
_NO_NUMBER = "NaN and infinity are no numbers of JSON; leave out what is unknown"


def exact(message: str) -> str:
    """A message as it came, or with the reason in place of its arguments where reading would lose something."""
    lost: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        lost.extend([_TWICE] if len(found) < len(pairs) else [])
        return found

    def fraction(text: str) -> float:
        number = float(text)
        try:
            same = Decimal(text) == Decimal(repr(number))
        except InvalidOperation:
            same = False
        lost.extend([] if same else [_DIGITS])
        return number

    def constant(name: str) -> None:
        lost.append(_NO_NUMBER)

    try:
        content = json.loads(message, object_pairs_hook=once, parse_float=fraction, parse_constant=constant)
    except (ValueError, RecursionError):
        # Whoever reads it next refuses it too.
        return message
    if not lost or not isinstance(content, dict) or not isinstance(content.get("params"), dict):
        return message
    return json.dumps(content | {"params": content["params"] | {"arguments": {LOST: lost[0]}}})


class Exact:
    """Does so with the body of every POST."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY:
                await PlainTextResponse(f"{TOO_LARGE}\n", 413)(scope, receive, send)
                return
        try:
            read = exact(body.decode()).encode()
        except UnicodeError:
            read = bytes(body)
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": read, "more_body": False}

        await self.app(scope, again, send)
