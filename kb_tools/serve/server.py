"""What is served over HTTP, listening."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp

from kb_tools.ask.pool import Pool
from kb_tools.errors import KbError
from kb_tools.serve.heap import keep_little

if TYPE_CHECKING:
    from kb_tools.records.shelf import Shelf
    from kb_tools.serve.hooks.clients import Clients
    from kb_tools.serve.programs.watching import Log
    from kb_tools.serve.recording import Recording
    from kb_tools.serve.workbench import Workbench

# Seconds after which a connection on which nothing is asked is closed; and that requests have to end when the server is
# to end. What still runs then is ended.
KEPT_OPEN, LEAVING = 5, 3


def serve(
    bench: Workbench,
    pool: Pool,
    host: str,
    port: int,
    hosts: Collection[str],
    max_rows: int,
    clients: Clients | None = None,
    ready: Callable[[str], None] = lambda address: None,
    log: Log | None = None,
    recording: Recording | None = None,
    shelf: Shelf | None = None,
    origins: Collection[str] = (),
) -> None:
    """Serve the workbench until interrupted.

    Args:
        bench: the knowledge base that is shown.
        pool: answers queries of it.
        port: 0 for any that is free.
        hosts: names of hosts that are answered beside those of loopback.
        max_rows: the most rows or triples of an answer.
        clients: whose calls of CDS Hooks are answered; those of this machine by default.
        ready: called with the address of the first page, once it listens.
        log: where a line is written of each request; by default nowhere.
        recording: records each determination of a program before it is given; by default there are no records.
        shelf: decision records that are shown; by default none are.
        origins: of pages of others whose browsers may call CDS Hooks; none by default.

    Raises:
        KbError: nothing can listen there.
    """
    from kb_tools.serve.app import application

    keep_little()
    with listening(host, port) as (bound, address):
        ready(f"{address}/")
        run(application(bench, hosts, pool, max_rows, clients, log, recording, shelf, origins), bound)


@contextmanager
def listening(host: str, port: int) -> Iterator[tuple[socket.socket, str]]:
    """A socket that listens, and its address as a URL without a path.

    Raises:
        KbError: nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since only then asyncio sends small answers at once (TCP_NODELAY).
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
            bound.listen(128)
        except OSError as error:
            what = f"cannot listen on {host} port {port}: {error.strerror or error}"
            raise KbError(what, hint="choose another --port or --host") from None
        shown = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
        yield bound, f"http://{shown}:{bound.getsockname()[1]}"


def run(app: ASGIApp, bound: socket.socket) -> None:
    """Answer what comes to a socket, until interrupted."""
    uvicorn.Server(configured(app)).run(sockets=[bound])


def configured(app: ASGIApp) -> uvicorn.Config:
    """How an application is served."""
    # The server logs nothing of a request, no traceback either, which can quote one.
    return uvicorn.Config(
        app,
        # It bounds what it reads of headers that do not end. httptools, which is taken where it is installed, does not.
        http="h11",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEPT_OPEN,
        timeout_graceful_shutdown=LEAVING,
    )
