"""The workbench, listening."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection

import uvicorn

from kb_tools.ask.pool import Pool
from kb_tools.errors import KbError
from kb_tools.serve.app import application
from kb_tools.serve.heap import keep_little
from kb_tools.serve.hooks.clients import Clients
from kb_tools.serve.programs.watching import Log
from kb_tools.serve.workbench import Workbench


def serve(
    pool: Pool,
    host: str,
    port: int,
    hosts: Collection[str],
    max_rows: int,
    clients: Clients | None = None,
    ready: Callable[[str], None] = lambda address: None,
    log: Log | None = None,
) -> None:
    """Listen until interrupted.

    Args:
        pool: answers queries, of the knowledge base that is shown.
        port: 0 for any that is free.
        hosts: names of hosts that are answered beside those of loopback.
        max_rows: the most rows or triples of an answer.
        clients: whose calls of CDS Hooks are answered; those of this machine by default.
        ready: called with the address of the first page, once it listens.
        log: where a line is written of each request; by default nowhere.

    Raises:
        KbError: nothing can listen there.
    """
    keep_little()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since only then asyncio sends small answers at once (TCP_NODELAY).
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(128)
        except OSError as error:
            what = f"cannot listen on {host} port {port}: {error.strerror or error}"
            raise KbError(what, hint="choose another --port or --host") from None
        shown = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{listening.getsockname()[1]}/")
        # The server logs nothing of a request, no traceback either, which can quote one.
        app = application(Workbench(pool.kb), hosts, pool, max_rows, clients, log)
        config = uvicorn.Config(app, log_config=None, log_level="critical", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listening])
