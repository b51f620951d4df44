"""Whether the server is up, and whether it is ready to determine: for whoever starts, watches and restarts it."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kb_tools import __version__, as_json
from kb_tools.serve.determining import Determining
from kb_tools.serve.programs.metrics import Metrics
from kb_tools.serve.refusals import refusal

HEALTH, READY, METRICS = "/health", "/ready", "/metrics"


def routes(determining: Determining, metrics: Metrics) -> list[Route]:
    """The addresses."""

    async def health(request: Request) -> Response:
        return _json({"status": "up", "tool": f"kb {__version__}"})

    async def ready(request: Request) -> Response:
        """503 until the knowledge base is loaded by each process that determines, and while nothing can be recorded."""
        workers = {"warm": determining.workers.warm_ones, "of": determining.workers.number}
        content: dict[str, object] = {"status": "ready", "workers": workers}
        recording = determining.recording
        if recording:
            trouble = await run_in_threadpool(recording.trouble)
            content["records"] = {"made": recording.made, "head": str(recording.head) if recording.made else None}
            if trouble:
                told = refusal(trouble)
                return _json({**content, "status": "not recording", "detail": told.text}, told.status, told.headers)
        if determining.workers.ready:
            return _json(content)
        return _json({**content, "status": "starting"}, 503, {"Retry-After": "1"})

    async def told(request: Request) -> Response:
        return Response(metrics.text(), media_type=metrics.media_type)

    return [Route(HEALTH, health), Route(READY, ready), Route(METRICS, told)]


def _json(content: dict[str, object], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(as_json.dump(content), status, headers, media_type="application/json")
