"""Who asks another machine: the processes of a served workbench, and a browser."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Run by every process of Python at its start. It writes to a file that is open before a process may open none.
_HOOK = """
import os
import socket
import sys

_record = os.open({record!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_outgoing = ("socket.connect", "socket.sendto", "socket.sendmsg")
_named = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")


def _seen(event, arguments):
    if event in _named or event in _outgoing and arguments[0].family != socket.AF_UNIX:
        os.write(_record, f"{{event}} {{arguments[-1] if event in _outgoing else arguments[0]}}\\n".encode())


os.write(_record, f"started {{os.getpid()}}\\n".encode())
sys.addaudithook(_seen)
"""


class Watched:
    """Processes of Python, and those that they start: which names they look up, and what they connect to.

    Args:
        folder: where the record is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._record = folder / "record.txt"
        (folder / "sitecustomize.py").write_text(_HOOK.format(record=str(self._record)), encoding="utf-8")
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        self.environment = {**os.environ, "PYTHONPATH": path}

    @property
    def processes(self) -> list[int]:
        """Those that were watched from their start."""
        return [int(line.removeprefix("started ")) for line in self._lines() if line.startswith("started ")]

    @property
    def asked(self) -> list[str]:
        """What left a process, or was looked up to leave it; what stays on this machine by a path does not count."""
        return [line for line in self._lines() if not line.startswith("started ")]

    def _lines(self) -> list[str]:
        return self._record.read_text(encoding="utf-8").splitlines() if self._record.exists() else []


class Listener(socketserver.ThreadingTCPServer):
    """A proxy that passes nothing on, and records what it was asked for.

    Attributes:
        asked: the first line of each request.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refusal)
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Refusal(socketserver.StreamRequestHandler):
    server: Listener

    def handle(self) -> None:
        first = self.rfile.readline().decode("latin-1").strip()
        # A browser opens connections ahead, and asks for nothing on some of them.
        if first:
            self.server.asked.append(first)
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 502 Nothing is passed on\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener, while it is needed."""
    with Listener() as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        yield listener
        listener.shutdown()
        thread.join()
