"""The ready questions, asked: the page of each with its form and its answer, and the answer in other formats."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kb_tools import as_json
from kb_tools.ask.library import Question, find_question
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.sparql import QueryError
from kb_tools.errors import Busy, KbError
from kb_tools.serve import html
from kb_tools.serve.asked import asked_for as values_asked
from kb_tools.serve.asked import file_name, query_of, stated
from kb_tools.serve.asking import Asker
from kb_tools.serve.formats import MEDIA_TYPES, asked_for
from kb_tools.serve.forms import fields
from kb_tools.serve.links import ServedLinks
from kb_tools.serve.pages import QUESTION
from kb_tools.serve.remembered import Remembered, lasting
from kb_tools.serve.results import ROWS, SPREADSHEET, answer, check_format
from kb_tools.serve.table import shown_answer
from kb_tools.serve.view import NoPage, View, day_asked
from kb_tools.serve.workbench import Workbench

# What an address of a question says beside its parameters.
_OTHERS = ("on", "policy", "format")
# The formats in which a reader takes an answer along.
_TAKEN = {"csv": "CSV", "json": "JSON", "xlsx": "Spreadsheet"}


def routes(bench: Workbench, asker: Asker, remembered: Remembered) -> list[Route]:
    """The page of a question, and its answer for other programs."""

    async def page(request: Request) -> Response:
        question, view, given = _asked(bench, request)
        content = {"page": QUESTION.name, "on": view.day.isoformat(), **QUESTION.data(view, question.name)}
        format_ = _format(request)
        if format_ == "json":
            return Response(as_json.dump(content), media_type=MEDIA_TYPES["json"][0], headers={"Vary": "Accept"})
        status, error, found = 200, "", None
        try:
            found = stated(view, question, await asker.ask(request, _inquiry(request, question, view, given)))
        except Busy:
            raise
        except KbError as refused:
            status, error = 400, str(refused)
        links = ServedLinks(bench.ours, view.day if request.query_params.get("on") else None)
        content |= {"fields": fields(view, question, given, found), "error": error, "answer": None}
        # A query that was not run is not shown.
        content["query"] = query_of(found) if found else ""
        if found:
            content |= {"answer": shown_answer(bench, links, found), **_elsewhere(request, question, found)}
            content["asked"] = values_asked(view, question, found)
        kept = tuple(given.items())
        asked = bool(request.query_params.get("on"))
        shown = html.Shown("question", request.scope["path"], view.day, links, asked, QUESTION.formats, kept=kept)
        return Response(html.render(shown, content, bench), status, {"Vary": "Accept"}, "text/html")

    async def data(request: Request) -> Response:
        question, view, given = _asked(bench, request)
        check_format(request.query_params.get("format"), question=True)
        reading = remembered.pool.reading
        found = stated(view, question, await asker.ask(request, _inquiry(request, question, view, given)))
        about = {each["name"]: each["value"] for each in values_asked(view, question, found)}
        written = answer(found, request.query_params.get("format"), request.headers.get("accept", ""), about)
        kind = (written.media_type or "").partition(";")[0]
        ending = next((ending for ending, types in (ROWS | SPREADSHEET).items() if types[0] == kind), "json")
        written.headers["Content-Disposition"] = f'inline; filename="{file_name(question, found)}.{ending}"'
        if lasting(question, given):
            remembered.keep(request.scope, reading, written)
        return written

    return [Route("/questions/{name}", page), Route("/questions/{name}/answer", data)]


def _format(request: Request) -> str:
    """Whether the page is asked for as "html" or as "json".

    Raises:
        HTTPException: 406, as neither.
    """
    format_ = asked_for(request.query_params.get("format") or None, request.headers.get("accept", ""), QUESTION.formats)
    if format_ is None:
        raise HTTPException(406, f"this page comes as {', '.join(MEDIA_TYPES[known][0] for known in QUESTION.formats)}")
    return format_


def _asked(bench: Workbench, request: Request) -> tuple[Question, View, dict[str, str]]:
    """The question of an address, the day on which it is asked, and the values of its parameters that are given.

    Raises:
        NoPage: there is no such question; the error names one that is close.
        KbError: a parameter is given twice, or the day is none.
    """
    try:
        question = find_question(request.path_params["name"])
    except QueryError as error:
        # Not that a command lists them.
        hint = error.hint if error.hint.startswith("did you mean") else ""
        raise NoPage(error.what, hint=hint) from None
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise QueryError(f"{name} is given twice", hint="give it once")
        # An empty field of a form asks for nothing.
        if value:
            given[name] = value
    day = day_asked(given.get("on"))
    return question, View(bench, day or date.today()), {key: given[key] for key in given if key not in _OTHERS}


def _inquiry(request: Request, question: Question, view: View, given: Mapping[str, str]) -> Inquiry:
    dated = view.day if request.query_params.get("on") else None
    return inquiry(question, view, given, dated, request.query_params.get("policy") or None)


def inquiry(
    question: Question, view: View, given: Mapping[str, str], dated: date | None, policy: str | None = None
) -> Inquiry:
    """What a question asks on the day of a view.

    Args:
        given: the values of its parameters.
        dated: the day for a parameter that is today where nothing is given; None for today.
        policy: the only one of which the revision in force is read; None for all.
    """
    parameters = dict(given)
    for parameter in question.parameters:
        if dated and parameter.type == "date" and parameter.default == "today":
            parameters.setdefault(parameter.name, dated.isoformat())
    day = None if question.scope == "all" or "revision" in parameters else view.day
    return Inquiry(question=question.name, parameters=parameters, as_of=day, policy=policy)


def _elsewhere(request: Request, question: Question, found: RawResult) -> dict[str, Any]:
    """Where an answer can be had in other formats, and its query in the editor."""
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "format" and pair[1]]
    path = f"{request.scope['path']}/answer"
    name = file_name(question, found)
    downloads = [
        {
            "label": label,
            "address": f"{quote(path)}?{urlencode([*pairs, ('format', format_)])}",
            "file": f"{name}.{format_}",
        }
        for format_, label in _TAKEN.items()
    ]
    # After "#": no server sees it, and no log.
    reads = {"reads": "all"} if question.scope == "all" else {}
    on = {key: value for key, value in pairs if key == "on"}
    address = (
        f"/query{'?' if on else ''}{urlencode(on)}#{urlencode({'query': query_of(found), **reads}, quote_via=quote)}"
    )
    return {"downloads": downloads, "editor": address}
