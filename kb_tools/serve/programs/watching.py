"""Sees each request from its begin to its end: counts it, and writes a line of what happened where that is asked for.

Neither says of whom: no address, no value of a case, no identifier.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kb_tools.as_json import compact
from kb_tools.errors import KbError
from kb_tools.serve.happened import Happened, happened
from kb_tools.serve.programs.metrics import Metrics

# The status that is counted where the client went away before it was answered.
GONE = 499
# What is asked for at no address that is known.
NOWHERE = "none"


class Log:
    """Lines of JSON, a line a request.

    Args:
        path: a file, which is added to; "-" for standard output.

    Raises:
        KbError: it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.lost = 0
        try:
            self._file = (
                sys.stdout.fileno() if path == "-" else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            )
        except OSError as error:
            what = f"cannot be written: {error.strerror or error}"
            raise KbError(what, where=path, hint="give another file with --log") from None

    def write(self, content: dict[str, Any]) -> None:
        """Write a line; where that fails, the request is answered all the same."""
        try:
            os.write(self._file, compact(content) + b"\n")
        except OSError:
            self.lost += 1


class Watched:
    """An application whose requests are counted and, where there is a log, written down.

    Args:
        routes: those of the application, by whose paths its doors are named.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], metrics: Metrics, log: Log | None) -> None:
        self.app = app
        self.metrics = metrics
        self.log = log
        self._doors: dict[Any, str] = {route.endpoint: route.path for route in routes if isinstance(route, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status, received, sent = GONE, 0, 0
        known = happened(scope)

        async def heard() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def answered(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            sent += len(message.get("body", b""))
            await send(message)

        self.metrics.begun()
        try:
            await self.app(scope, heard, answered)
        finally:
            seconds = time.perf_counter() - began
            door = self._door(scope)
            self.metrics.ended(door, status, seconds, known.outcomes)
            if self.log:
                self.log.write(_line(door, status, seconds, known, received, sent))

    def _door(self, scope: Scope) -> str:
        """The path of the route that answered, as it is written in the program, with its method."""
        path = self._doors.get(scope.get("endpoint"))
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "OTHER"
        return NOWHERE if path is None else f"{method} {path}"


def _line(door: str, status: int, seconds: float, known: Happened, received: int, sent: int) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "door": door,
        "status": status,
        "seconds": round(seconds, 4),
        "received": received,
        "sent": sent,
        "outcomes": dict(sorted(known.outcomes.items())),
        "revisions": sorted(known.revisions),
    }
