"""What programs ask over HTTP: cases determined, one or many; revisions read and compared; ready questions; health."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from kb_tools.serve.determining import Determining
from kb_tools.serve.programs import batch, determine, health, reading
from kb_tools.serve.programs.metrics import Metrics
from kb_tools.serve.workbench import Workbench


def routes(
    bench: Workbench, determining: Determining, metrics: Metrics, ask: Callable[[Request], Awaitable[Response]]
) -> list[Route]:
    """All addresses for programs.

    Args:
        ask: answers a ready question, whose name is in the path.
    """
    return [
        *determine.routes(determining),
        *reading.routes(bench, determining, ask),
        *health.routes(determining, metrics),
    ]


def is_streamed(scope: Scope) -> bool:
    """Whether the body of a request is read as it comes, with limits of its own."""
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    return scope["path"] == determine.API and kind == batch.LINES
