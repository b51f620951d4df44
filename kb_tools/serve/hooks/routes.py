"""The addresses of CDS Hooks: discovery, the services, and feedback, which is taken and not kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date
from functools import wraps
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kb_tools.cases.fhir import r4
from kb_tools.errors import UnreadableInput
from kb_tools.serve import outcomes
from kb_tools.serve.determining import Determining
from kb_tools.serve.fhir.capability import MEDIA_TYPE
from kb_tools.serve.happened import happened
from kb_tools.serve.hooks.call import SOURCE
from kb_tools.serve.hooks.clients import Clients, Untrusted
from kb_tools.serve.hooks.services import HOOKS, discovery
from kb_tools.serve.outcomes import failed, outcome
from kb_tools.serve.programs.asked import media_type

Endpoint = Callable[[Request], Awaitable[Response]]
AT = "/cds-services"
_NO_SERVICE = f"there is no such service; there are {', '.join(HOOKS)}"
# What a browser may send from a page of another origin.
_METHODS, _HEADERS = ("GET", "POST"), ("Authorization", "Content-Type")


def routes(determining: Determining, clients: Clients) -> list[Route]:
    """The routes.

    Args:
        clients: whose calls are answered.
    """

    async def service(request: Request) -> Response:
        id_ = request.path_params["id"]
        if id_ not in HOOKS:
            return failed(404, _NO_SERVICE)
        # One without a type could come from any page that a browser shows.
        if media_type(request) not in ("application/json", MEDIA_TYPE):
            return failed(415, "a call is JSON; send Content-Type: application/json")
        base = str(request.base_url).rstrip("/")
        found = await determining.exchange("hook", id_, base, date.today().isoformat(), body=await request.body())
        status, become = found.content["status"], found.content["told"]
        happened(request.scope).add(become["outcomes"], become["revisions"])
        return Response(found.body, status, media_type="application/json" if status == 200 else MEDIA_TYPE)

    async def feedback(request: Request) -> Response:
        if request.path_params["id"] not in HOOKS:
            return failed(404, _NO_SERVICE)
        try:
            content = r4.load(await request.body(), SOURCE)
        except UnreadableInput:
            content = None
        if not _is_feedback(content):
            return failed(400, "feedback: send a list of objects with card, outcome and outcomeTimestamp")
        return Response(status_code=200)

    async def discover(request: Request) -> Response:
        return JSONResponse(discovery())

    return [
        Route(AT, _trusted(clients, discover), methods=["GET"]),
        Route(f"{AT}/{{id}}", _trusted(clients, service), methods=["POST"]),
        Route(f"{AT}/{{id}}/feedback", _trusted(clients, feedback), methods=["POST"]),
    ]


def beside(app: ASGIApp, addresses: Sequence[Route], origins: Collection[str] = ()) -> ASGIApp:
    """An application that answers what is at /cds-services by itself, errors too, and leaves all else to another.

    Args:
        origins: of pages in browsers that may call it, and read what it answers; none by default.
    """

    def for_browsers(inner: ASGIApp) -> ASGIApp:
        # A page of the internet asks whether it may reach this machine, too.
        return CORSMiddleware(inner, origins, _METHODS, _HEADERS, allow_private_network=True) if origins else inner

    return outcomes.beside(app, AT, addresses, AT, for_browsers)


def _trusted(clients: Clients, endpoint: Endpoint) -> Endpoint:
    """The endpoint, for trusted clients alone."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        try:
            clients.check(request)
        except Untrusted as error:
            refused = outcome(error.status, [("security", str(error))])
            if error.status == 401:
                refused.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return refused
        return await endpoint(request)

    return guarded


def _is_feedback(content: Any) -> bool:
    listed = content.get("feedback") if isinstance(content, dict) else None
    return isinstance(listed, list) and all(
        isinstance(one, dict)
        and all(isinstance(one.get(name), str) for name in ("card", "outcome", "outcomeTimestamp"))
        and one["outcome"] in ("accepted", "overridden")
        for one in listed
    )
