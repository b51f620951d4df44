"""The server over standard input and output, and over HTTP."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable
from threading import Thread
from typing import Any, cast

import anyio
import anyio.from_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from kb_tools.serve.bodies import MAX_BODY, ReadAway
from kb_tools.serve.heap import keep_little
from kb_tools.serve.mcp.exact import Exact, exact
from kb_tools.serve.mcp.office import Office
from kb_tools.serve.mcp.server import server
from kb_tools.serve.security import Guard
from kb_tools.serve.server import listening, run

_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_REFUSED = "This host is not served here: kb mcp answers this machine only."
_CHUNK = 64 * 1024


def log_nothing() -> None:
    """From here on this process logs nothing: what the SDK says of a call could quote it."""
    logging.disable(logging.CRITICAL)


# ---------------------------------------------------------------------- standard input and output


def over_stdio(office: Office) -> None:
    """Answer one client over standard input and output, until it leaves."""
    log_nothing()
    office.start()
    try:
        anyio.run(_over_stdio, office)
    except* BrokenPipeError:
        # The client reads no more: there is nothing left to do.
        pass


async def _over_stdio(office: Office) -> None:
    found = server(office)
    sending, receiving = anyio.create_memory_object_stream[str](16)
    # As a daemon: what waits for the next message must not keep the process when it is to end.
    async with anyio.from_thread.BlockingPortal() as portal:
        Thread(target=_read_lines, args=(os.dup(0), sending, portal), daemon=True).start()
        # The SDK only takes one line after the other from it.
        lines = cast("anyio.AsyncFile[str]", _Lines(receiving))
        async with stdio_server(stdin=lines) as (read, write):
            await found.run(read, write, found.create_initialization_options())
        await portal.stop(cancel_remaining=True)


def _read_lines(file: int, sending: MemoryObjectSendStream[str], portal: anyio.from_thread.BlockingPortal) -> None:
    rest = b""
    try:
        while chunk := os.read(file, _CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                portal.call(sending.send, exact(line.decode("utf-8", "replace")))
        if rest:
            portal.call(sending.send, exact(rest.decode("utf-8", "replace")))
        portal.call(sending.aclose)
    except (RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        # The other side has ended.
        return


class _Lines:
    """The messages that come, each a line."""

    def __init__(self, receiving: MemoryObjectReceiveStream[str]) -> None:
        self._receiving = receiving

    async def __aiter__(self) -> AsyncIterator[str]:
        async for line in self._receiving:
            yield line


# ---------------------------------------------------------------------- HTTP


def application(office: Office) -> ASGIApp:
    """The server as an ASGI application, at /mcp."""
    security = TransportSecuritySettings(
        allowed_hosts=[*_HOSTS, *(f"{host}:*" for host in _HOSTS)],
        allowed_origins=[f"http://{host}:*" for host in _HOSTS],
    )
    # Not as one JSON document: then it would not be noticed that a client hangs up.
    app = server(office).streamable_http_app(
        stateless_http=True, json_response=False, max_request_body_size=MAX_BODY, transport_security=security
    )
    return ReadAway(Guard(Exact(app), refused=_REFUSED))


def over_http(office: Office, port: int, ready: Callable[[str], Any] = lambda address: None) -> None:
    """Answer clients on this machine, until interrupted.

    Args:
        port: 0 for any that is free.
        ready: called with the address, once it listens.

    Raises:
        KbError: nothing can listen there.
    """
    log_nothing()
    keep_little()
    office.start()
    with listening("127.0.0.1", port) as (bound, address):
        ready(f"{address}/mcp")
        run(application(office), bound)
