"""The addresses of CDS Hooks: discovery, the services, and feedback, which is taken and not kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kb_tools.cases.fhir import r4
from kb_tools.errors import UnreadableInput, Unrecorded
from kb_tools.render.fhir_outcome import operation_outcome
from kb_tools.serve.determining import Determining
from kb_tools.serve.hooks.call import SOURCE
from kb_tools.serve.hooks.clients import Clients, Untrusted
from kb_tools.serve.hooks.services import HOOKS, discovery
from kb_tools.serve.refusals import refusal

Endpoint = Callable[[Request], Awaitable[Response]]
_FHIR = "application/fhir+json"


def routes(determining: Determining, clients: Clients) -> list[Route]:
    """The routes.

    Args:
        clients: whose calls are answered.
    """

    async def service(request: Request) -> Response:
        id_ = request.path_params["id"]
        if id_ not in HOOKS:
            return _outcome(404, "not-found", f"there is no such service; there are {', '.join(HOOKS)}")
        if not _is_json(request):
            return _outcome(415, "not-supported", "a call is JSON; send Content-Type: application/json")
        base = str(request.base_url).rstrip("/")
        try:
            found = await determining.exchange("hook", id_, base, date.today().isoformat(), body=await request.body())
        except Unrecorded as error:
            told = refusal(error)
            return _outcome(told.status, "transient", told.text, told.headers)
        media_type = "application/json" if found.content == 200 else _FHIR
        return Response(found.body, found.content, media_type=media_type)

    async def feedback(request: Request) -> Response:
        if request.path_params["id"] not in HOOKS:
            return _outcome(404, "not-found", f"there is no such service; there are {', '.join(HOOKS)}")
        try:
            content = r4.load(await request.body(), SOURCE)
        except UnreadableInput:
            content = None
        if not _is_feedback(content):
            return _outcome(400, "invalid", "feedback: send a list of objects with card, outcome and outcomeTimestamp")
        return Response(status_code=200)

    async def discover(request: Request) -> Response:
        return JSONResponse(discovery())

    return [
        Route("/cds-services", _trusted(clients, discover), methods=["GET"]),
        Route("/cds-services/{id}", _trusted(clients, service), methods=["POST"]),
        Route("/cds-services/{id}/feedback", _trusted(clients, feedback), methods=["POST"]),
    ]


def _trusted(clients: Clients, endpoint: Endpoint) -> Endpoint:
    """The endpoint, for trusted clients alone."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        try:
            clients.check(request)
        except Untrusted as error:
            refused = _outcome(error.status, "security", str(error))
            if error.status == 401:
                refused.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return refused
        return await endpoint(request)

    return guarded


def _is_json(request: Request) -> bool:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return sent in ("", "application/json", _FHIR)


def _is_feedback(content: Any) -> bool:
    listed = content.get("feedback") if isinstance(content, dict) else None
    return isinstance(listed, list) and all(
        isinstance(one, dict)
        and all(isinstance(one.get(name), str) for name in ("card", "outcome", "outcomeTimestamp"))
        and one["outcome"] in ("accepted", "overridden")
        for one in listed
    )


def _outcome(status: int, code: str, what: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(operation_outcome([(code, what)]), status, headers, _FHIR)
