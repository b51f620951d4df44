"""The workbench as a web application: addresses, formats, errors."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from difflib import get_close_matches
from functools import cache, partial
from mimetypes import guess_type
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kb_tools import as_json
from kb_tools.ask.pool import Pool
from kb_tools.errors import Changed, KbError, Unrecorded
from kb_tools.records.shelf import Shelf
from kb_tools.serve import answers, description, editor, html, openapi, programs, recorded, sparql
from kb_tools.serve.asking import MAX_ROWS, Asker
from kb_tools.serve.bodies import TOO_LARGE, Limited, ReadAway
from kb_tools.serve.case import routes as case
from kb_tools.serve.determining import Determining
from kb_tools.serve.fhir import routes as fhir
from kb_tools.serve.formats import MEDIA_TYPES, asked_for
from kb_tools.serve.hooks import routes as hooks
from kb_tools.serve.hooks.clients import Clients, ThisMachine
from kb_tools.serve.links import ServedLinks, path_of
from kb_tools.serve.pages import COMPARE, COMPARISON, FIXED, POLICIES_COMPARED, Page, page_of
from kb_tools.serve.pages.compare import obstacle, pair_named
from kb_tools.serve.pages.policies_compared import sides_named
from kb_tools.serve.programs.metrics import Metrics
from kb_tools.serve.programs.watching import GONE, Log, Watched
from kb_tools.serve.recording import Recording
from kb_tools.serve.refusals import refusal
from kb_tools.serve.remembered import Remembered
from kb_tools.serve.security import Guard
from kb_tools.serve.view import NoPage, View, day_asked
from kb_tools.serve.workbench import Workbench

_LOG = logging.getLogger(__name__)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# How many addresses an error names.
_NEAR = 5


def application(
    bench: Workbench,
    hosts: Collection[str] = (),
    pool: Pool | None = None,
    max_rows: int = MAX_ROWS,
    clients: Clients | None = None,
    log: Log | None = None,
    recording: Recording | None = None,
    shelf: Shelf | None = None,
    origins: Collection[str] = (),
) -> ASGIApp:
    """The workbench on a knowledge base, as an ASGI application.

    Args:
        hosts: names of hosts that it answers to beside those of loopback.
        pool: answers queries; a new one by default.
        max_rows: the most rows or triples of an answer.
        clients: whose calls of CDS Hooks are answered; those of this machine by default.
        log: where a line is written of each request; by default nowhere.
        recording: records each determination of a program before it is given; by default there are no records.
        shelf: decision records that are shown; by default none are.
        origins: of pages of others whose browsers may call CDS Hooks; none by default.
    """
    bench = bench.showing(shelf) if shelf else bench
    pool = pool or Pool(bench.kb)
    asker, remembered = Asker(pool, max_rows), Remembered(pool)
    determining, metrics = Determining(bench.kb, recording=recording), Metrics()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        pool.start()
        determining.start()
        yield
        pool.close()
        determining.close()

    asked = answers.routes(bench, asker, remembered)
    routes = [*sparql.routes(bench, asker), *asked, *editor.routes(bench, asker)]
    routes += programs.routes(bench, determining, metrics, asked[-1].endpoint)
    routes += [Route(page.path, _fixed(bench, page), name=page.name) for page in FIXED]
    routes += recorded.routes(bench, shelf, partial(_answer, bench)) if shelf else []
    routes += case.routes(bench, determining)
    routes += [
        Route(POLICIES_COMPARED.path, _policies_compared(bench)),
        Route(COMPARE.path, _choose(bench)),
        Route(COMPARISON.path, _comparison(bench)),
        Route("/openapi.json", _openapi),
        Route("/static/{name:path}", _static),
    ]
    routes += [*_other_methods(routes), Route("/{path:path}", _thing(bench), name="thing")]
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: _failed(bench),
            KbError: _refused(bench),
            ClientDisconnect: _gone,
            Exception: _broken(bench),
        },
        lifespan=lifespan,
    )

    def too_large(scope: Scope) -> Response:
        return _problem(bench, Request(scope), 413, TOO_LARGE)

    def given_twice(scope: Scope, name: str) -> Response:
        return _problem(bench, Request(scope), 400, f"{name} is given twice; give it once")

    once = Once(app, given_twice, sparql.MANY)
    pages = remembered.before(Limited(once, too_large, programs.is_streamed))
    operations, services = fhir.routes(determining), hooks.routes(determining, clients or ThisMachine())
    answering = Guard(hooks.beside(fhir.beside(pages, operations), services, origins), hosts)
    return Watched(ReadAway(answering), [*routes, *operations, *services], metrics, log)


class Once:
    """Answers a request that gives a parameter of its address twice: of two values, neither is sure to be meant.

    Args:
        twice: the answer to such a request, for the name of the parameter.
        many: names of parameters that can be given any number of times.
    """

    def __init__(self, app: ASGIApp, twice: Callable[[Scope, str], Response], many: Collection[str]) -> None:
        self.app = app
        self.twice = twice
        self.many = many

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = Counter(name for name, _ in QueryParams(scope.get("query_string", b"")).multi_items())
        twice = next((name for name, number in counted.items() if number > 1 and name not in self.many), None)
        answer = self.app if twice is None else self.twice(scope, twice)
        await answer(scope, receive, send)


def _other_methods(routes: Iterable[Route]) -> list[Route]:
    """For each address the methods by which it is not asked, which say by which it is."""
    allowed: dict[str, set[str]] = {}
    for route in routes:
        allowed.setdefault(route.path, set()).update(route.methods or ())
    return [Route(path, _allows(sorted(methods)), methods=_METHODS - methods) for path, methods in allowed.items()]


def _allows(methods: Sequence[str]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        allowed = ", ".join(methods)
        raise HTTPException(405, f"this address is asked by {allowed}", {"Allow": allowed})

    return endpoint


# ---------------------------------------------------------------------- pages


def _fixed(bench: Workbench, page: Page) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        return _answer(bench, page, request, request.path_params.get("name", request.query_params.get("q", "")))

    return endpoint


def _choose(bench: Workbench) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        """The two that were chosen have an address of their own, which can be sent."""
        policy = request.path_params["policy"]
        chosen = [request.query_params.get(side) for side in ("before", "after")]
        if all(chosen):
            links = ServedLinks(bench.ours, day_asked(request.query_params.get("on")))
            return RedirectResponse(links.page(f"/{policy}/compare/{'/'.join(map(str, chosen))}"), 303)
        return _answer(bench, COMPARE, request, policy)

    return endpoint


def _comparison(bench: Workbench) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        """Waits for what takes seconds to make without a thread of those that answer other readers."""
        target = "/".join(request.path_params.values())
        policy, before, after = await run_in_threadpool(pair_named, bench, target)
        if not obstacle(policy, before, after):
            await asyncio.wrap_future(bench.comparisons.of(policy, before.name, after.name))
        return await run_in_threadpool(_answer, bench, COMPARISON, request, target)

    return endpoint


def _policies_compared(bench: Workbench) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        """Waits as that of one policy does."""
        target = "/".join(request.path_params.values())
        first, before, second, after = await run_in_threadpool(sides_named, bench, target)
        await asyncio.wrap_future(bench.comparisons.of(first, before, after, second))
        return await run_in_threadpool(_answer, bench, POLICIES_COMPARED, request, target)

    return endpoint


def _thing(bench: Workbench) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        path = request.scope["path"]
        iri = paths(bench).get(path)
        if iri is not None:
            return _answer(bench, page_of(bench, iri), request, iri)
        if path != "/" and paths(bench).get(path.rstrip("/")):
            return RedirectResponse(str(request.url.replace(path=path.rstrip("/"), scheme="", netloc="")), 308)
        if path in bench.versions:
            return RedirectResponse(
                ServedLinks(bench.ours, day_asked(request.query_params.get("on"))).iri(bench.versions[path]), 303
            )
        raise NoPage(f"there is no page {path}", near(bench, path))

    return endpoint


@cache
def paths(bench: Workbench) -> dict[str, str]:
    """The IRI of each page of a thing, by its path."""
    return {path_of(iri): iri for iri in bench.ours}


def near(bench: Workbench, path: str) -> list[str]:
    """IRIs whose paths are close to one that leads nowhere."""
    return [paths(bench)[close] for close in get_close_matches(path, paths(bench), _NEAR, 0.6)]


def _answer(bench: Workbench, page: Page, request: Request, target: str) -> Response:
    format_ = asked_for(request.query_params.get("format") or None, request.headers.get("accept", ""), page.formats)
    if format_ is None:
        raise HTTPException(406, f"this page comes as {', '.join(MEDIA_TYPES[known][0] for known in page.formats)}")
    on = day_asked(request.query_params.get("on"))
    view = View(bench, on or date.today())
    if format_ in ("turtle", "jsonld"):
        body = description.of(view, target, format_)
    elif format_ in page.writers:
        body = page.writers[format_](view, target)
    else:
        content = {"page": page.name, "on": view.day.isoformat(), **page.data(view, target)}
        if format_ == "json":
            body = as_json.dump(content).encode()
        else:
            links = ServedLinks(bench.ours, on)
            shown = html.Shown(page.name, request.scope["path"], view.day, links, on is not None, page.formats)
            body = html.render(shown, content, bench)
    return Response(body, media_type=MEDIA_TYPES[format_][0], headers={"Vary": "Accept"})


def _openapi(request: Request) -> Response:
    return Response(as_json.dump(openapi.description()), media_type="application/json")


# ---------------------------------------------------------------------- files of ours


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    # Only what is listed can be asked for.
    known = html.assets() | html.editor()
    if name not in known:
        raise NoPage(f"there is no file {name}")
    return Response(known[name], media_type=guess_type(name)[0])


# ---------------------------------------------------------------------- errors


def _failed(bench: Workbench) -> Callable[[Request, Exception], Response]:
    def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _problem(bench, request, error.status_code, error.detail, headers=error.headers)

    return handler


def _refused(bench: Workbench) -> Callable[[Request, Exception], Response]:
    def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, KbError)
        told = refusal(error)
        near = error.near if isinstance(error, NoPage) else ()
        title = next((title for kind, title in _TITLES_OF.items() if isinstance(error, kind)), "")
        return _problem(bench, request, told.status, told.text, near, told.headers, title)

    return handler


def _gone(request: Request, error: Exception) -> Response:
    # Nobody hears it.
    return Response(status_code=GONE)


def _broken(bench: Workbench) -> Callable[[Request, Exception], Response]:
    def handler(request: Request, error: Exception) -> Response:
        # What went wrong may quote a request: it is named by its type alone.
        what = f"unexpected {type(error).__name__}; kb check says whether the knowledge base is sound"
        _LOG.error("kb serve: %s", what)
        return _problem(bench, request, 500, what)

    return handler


_TITLES = {
    400: "This cannot be answered",
    404: "Not found",
    405: "Not by this method",
    408: "Too slow",
    406: "Not in this format",
    413: "Too large",
    415: "Not in this form",
    500: "Something went wrong",
    503: "Too many requests at once",
}
# Of errors that say more than their status.
_TITLES_OF: dict[type[KbError], str] = {
    Changed: "Not what was read at the start",
    Unrecorded: "The decision record could not be written",
}


def _problem(
    bench: Workbench,
    request: Request,
    status: int,
    what: str,
    found: Collection[str] = (),
    headers: Mapping[str, str] | None = None,
    title: str = "",
) -> Response:
    """An error as a page, or as problem details (RFC 9457) with the addresses that are near."""
    title = title or _TITLES.get(status, "This cannot be answered")
    content: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": what}
    content["near"] = [{**View(bench, date.today()).link(iri), "kind": bench.kind(iri)} for iri in found]
    accept = request.headers.get("accept", "")
    # Whoever takes anything reads pages, or sends queries.
    offered = ("json", "html") if request.scope["path"].endswith("/sparql") else ("html", "json")
    for_people = asked_for(None, accept, offered) == "html" and request.query_params.get("format") != "json"
    if for_people and not request.url.path.startswith("/api/"):
        try:
            shown = html.Shown("error", request.scope["path"], date.today(), ServedLinks(bench.ours, None), False, ())
            return Response(html.render(shown, content, bench), status, headers, "text/html")
        except KbError:
            # Every page has a menu of what is on file. Where that cannot be read, there is still something to say.
            return PlainTextResponse(f"{title}: {what}\n", status, headers)
    return Response(as_json.dump(content), status, headers, "application/problem+json")
