"""The query editor: a page for SPARQL of a reader's own, and the terms that it completes."""

from __future__ import annotations

from datetime import date
from typing import Any, TypedDict
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kb_tools import as_json
from kb_tools.ask.request import Inquiry
from kb_tools.ask.sparql import BASE, QueryError
from kb_tools.errors import Busy, KbError
from kb_tools.serve import html
from kb_tools.serve.asking import Asker
from kb_tools.serve.links import ServedLinks
from kb_tools.serve.security import HEADERS
from kb_tools.serve.sparql import FORM
from kb_tools.serve.table import Answer, shown_answer
from kb_tools.serve.view import View, day_asked
from kb_tools.serve.workbench import Workbench

# The result view puts one style into the page, which lays out the edges by which columns are made wider. It may by the
# digest of its text: no other may, and none of a query or an answer.
_STYLE = "'sha256-zCK2EVMoPc04mRF/g5CotUvxbJPWS+8V0b+s9ptqQIk='"
_HEADERS = {"Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("style-src", f"style-src {_STYLE}")}
# Declared in the first query of a reader; every other prefix of the table is known without.
_PREFIXES = ("pol", "case", "clin", "cond", "crit", "rdfs", "skos")
_FIRST = """\
# The criteria, with their places and what each is called.
SELECT DISTINCT ?place ?criterion ?label
WHERE {
    ?criterion a/rdfs:subClassOf* pol:Criterion ; skos:notation ?place ; rdfs:label ?label .
}
ORDER BY ?place
"""


class Choice(TypedDict):
    """A default graph that can be read: as the form sends it, and in words."""

    value: str
    label: str


class Term(TypedDict):
    """A term that the editor completes: its IRI, how a query writes it, its name in words, and what kind it is of."""

    iri: str
    name: str
    label: str
    kind: str


class Terms(TypedDict):
    """What the editor completes: the prefix table, and the terms that have a prefix."""

    base: str
    prefixes: dict[str, str]
    terms: list[Term]


def routes(bench: Workbench, asker: Asker) -> list[Route]:
    """The page, which asks by POST where there is no script, and the terms."""

    async def page(request: Request) -> Response:
        on = day_asked(request.query_params.get("on"))
        view = View(bench, on or date.today())
        links = ServedLinks(bench.ours, on)
        text, reads = await _given(request) if request.method == "POST" else (first_query(bench), "")
        status, error = 200, ""
        answer: Answer | None = None
        if request.method == "POST":
            try:
                answer = shown_answer(bench, links, await asker.ask(request, _inquiry(bench, view, text, reads)))
            except Busy:
                raise
            except KbError as refused:
                status, error = 400, str(refused)
        content: dict[str, Any] = {
            "title": "Query editor",
            "on": view.day.isoformat(),
            "text": text,
            "prefixes": bench.kb.prefixes,
            "reads": reads,
            "choices": _choices(view),
            "answer": answer,
            "error": error,
        }
        shown = html.Shown("query", request.scope["path"], view.day, links, on is not None, ())
        return Response(html.render(shown, content, bench), status, _HEADERS, "text/html")

    def terms(request: Request) -> Response:
        return Response(as_json.dump(completions(bench)), media_type="application/json")

    return [Route("/query", page, methods=["GET", "POST"]), Route("/query/terms.json", terms)]


def completions(bench: Workbench) -> Terms:
    """What the editor completes."""
    found: list[Term] = []
    others = {quad.predicate.value for quad in bench.store}
    for iri in sorted({*bench.ours, *others}):
        name = bench.kb.curie(iri)
        if not name.startswith("<"):
            found.append({"iri": iri, "name": name, "label": bench.label(iri), "kind": bench.kind(iri)})
    return {"base": BASE, "prefixes": bench.kb.prefixes, "terms": found}


def first_query(bench: Workbench) -> str:
    """The query that the editor begins with, our prefixes declared."""
    table = bench.kb.prefixes
    declared = "".join(f"PREFIX {prefix}: <{table[prefix]}>\n" for prefix in _PREFIXES if prefix in table)
    return f"{declared}\n{_FIRST}"


async def _given(request: Request) -> tuple[str, str]:
    """The query of a form, and the default graph that it is to read.

    Raises:
        HTTPException: 415, it is no form.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415, f"a query is sent to this page as {FORM}; programs ask /sparql")
    try:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        raise QueryError("the query is no text in UTF-8", hint="send it in UTF-8") from None
    return form.get("query", "").replace("\r\n", "\n"), form.get("reads", "")


def _inquiry(bench: Workbench, view: View, text: str, reads: str) -> Inquiry:
    if reads and reads != "all" and BASE + reads not in bench.entries:
        raise QueryError(f"there is no revision {reads!a}", hint="choose one from the list")
    revision = reads if reads not in ("", "all") else None
    return Inquiry(text=text, revision=revision, as_of=None if reads else view.day, union=reads == "all")


def _choices(view: View) -> list[Choice]:
    """The default graphs that can be read."""
    found: list[Choice] = [{"value": "", "label": f"what is in force on {view.day}"}]
    for policy in view.bench.policies.values():
        for entry in reversed(policy.history):
            name = f"{policy.identifier}/{entry.name}"
            found.append({"value": name, "label": f"{name}{' (draft)' if entry.draft else ''}"})
    return [*found, {"value": "all", "label": "all graphs: every revision at once"}]
