"""The SPARQL 1.1 Protocol and Service Description: queries of a reader's own, over HTTP."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from urllib.parse import parse_qsl

import pyoxigraph as ox
from rdflib.namespace import RDF
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kb_tools.ask.request import Inquiry
from kb_tools.ask.sparql import QueryError
from kb_tools.errors import did_you_mean
from kb_tools.rdf.canonical import serialize
from kb_tools.rdf.namespaces import BASE
from kb_tools.serve.asking import Asker
from kb_tools.serve.formats import MEDIA_TYPES, asked_for
from kb_tools.serve.results import answer, check_format
from kb_tools.serve.view import NoPage, day_asked
from kb_tools.serve.workbench import Workbench

# Parameters of the protocol, and ours; those that may be given more than once.
PARAMETERS = {
    "query": "The query: SELECT, ASK, CONSTRUCT or DESCRIBE",
    "default-graph-uri": "A graph of the default graph, in place of those of FROM; any number of times",
    "named-graph-uri": "A named graph, in place of those of FROM NAMED; any number of times",
    "on": "The day whose revisions in force are in the default graph; default: today",
    "policy": "The only policy of which a revision is in the default graph; default: all",
    "all": "true: the default graph is the union of all graphs",
    "format": "The format of the answer; default: by the Accept header",
}
MANY = ("default-graph-uri", "named-graph-uri")
# What other programs call the parameter "format".
_FORMATS = ("format", "output", "results")
FORM, QUERY = "application/x-www-form-urlencoded", "application/sparql-query"
_SD = "http://www.w3.org/ns/sparql-service-description#"
_FORMATS_OF_RDF = "http://www.w3.org/ns/formats/"
_RESULT_FORMATS = (
    *("SPARQL_Results_JSON", "SPARQL_Results_XML", "SPARQL_Results_CSV", "SPARQL_Results_TSV"),
    *("Turtle", "N-Triples", "JSON-LD", "RDF_XML"),
)


@dataclass
class Operation:
    """A request of the protocol.

    Attributes:
        text: the query; None where there is none.
        given: the values of the parameters.
    """

    text: str | None = None
    given: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def one(self, name: str) -> str | None:
        return self.given[name][0] if self.given.get(name) else None


def routes(bench: Workbench, asker: Asker) -> list[Route]:
    """The endpoints: on the revisions in force, and on one revision."""

    async def endpoint(request: Request) -> Response:
        revision = _revision(bench, request)
        operation = await _operation(request)
        accept = request.headers.get("accept", "")
        if operation.text is None:
            if request.method == "POST":
                raise QueryError("no query", hint="send it as query=… or as application/sparql-query")
            return _described(bench, request, accept)
        format_ = next(filter(None, map(operation.one, _FORMATS)), None)
        check_format(format_)
        result = await asker.ask(request, _inquiry(operation, revision))
        # An answer of many rows takes a while to write, and others are answered meanwhile.
        return await run_in_threadpool(answer, result, format_, accept)

    return [Route(path, endpoint, methods=["GET", "POST"]) for path in ("/sparql", "/{policy}/{revision}/sparql")]


def _revision(bench: Workbench, request: Request) -> str | None:
    """The revision that an endpoint is of, as "CP.MP.101/2026-02"; None for those in force.

    Raises:
        NoPage: there is none.
    """
    if "revision" not in request.path_params:
        return None
    name = "{policy}/{revision}".format(**request.path_params)
    if BASE + name not in bench.entries:
        raise NoPage(f"there is no revision {name}", get_close_matches(BASE + name, bench.entries, 3, 0.8))
    return name


# ---------------------------------------------------------------------- requests


async def _operation(request: Request) -> Operation:
    """What a request asks: by GET, by POST of a form, or by POST of the query itself (SPARQL 1.1 Protocol, 2.1)."""
    if request.method != "POST":
        return _of_pairs(request.query_params.multi_items())
    type_ = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = _text(await request.body())
    if type_ == QUERY:
        operation = _of_pairs(request.query_params.multi_items())
        if operation.text is not None:
            raise QueryError("the query is given twice", hint="send it in the address or in the body")
        operation.text = body
        return operation
    if type_ == FORM:
        if request.query_params:
            raise QueryError("parameters in the address of a form", hint="send all of them in the form")
        return _of_pairs(parse_qsl(body, keep_blank_values=True))
    if type_ == "application/sparql-update":
        raise _update()
    raise HTTPException(415, f"a query is sent as {FORM} or {QUERY}")


def _of_pairs(pairs: Sequence[tuple[str, str]]) -> Operation:
    given: dict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        if name in ("update", "using-graph-uri", "using-named-graph-uri"):
            raise _update()
        if name not in PARAMETERS and name not in _FORMATS:
            hint = did_you_mean(name, PARAMETERS) or f"known: {', '.join(PARAMETERS)}"
            raise QueryError(f"there is no parameter {name!a}", hint=hint)
        if given[name] and name not in MANY:
            raise QueryError(f"{name} is given twice", hint="give it once")
        given[name].append(value)
    return Operation(next(iter(given["query"]), None), given)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise QueryError("the query is no text in UTF-8", hint="send it in UTF-8") from None


def _update() -> QueryError:
    return QueryError(
        "updates are refused: the knowledge base is only read", hint="write SELECT, ASK, CONSTRUCT or DESCRIBE"
    )


def _inquiry(operation: Operation, revision: str | None) -> Inquiry:
    union = operation.one("all") or "false"
    if union not in ("true", "false"):
        raise QueryError(f"all: {union!a} is neither true nor false", hint="write all=true")
    day = day_asked(operation.one("on"))
    if (revision is not None) + (union == "true") + (day is not None) > 1:
        raise QueryError("of a revision, on= and all= only one can be given", hint="leave the others out")
    graphs, named = (operation.given.get(name, ()) for name in MANY)
    return Inquiry(
        text=operation.text or "",
        policy=operation.one("policy"),
        revision=revision,
        as_of=day,
        union=union == "true",
        dataset=(graphs, named) if graphs or named else None,
    )


# ---------------------------------------------------------------------- service description


def _described(bench: Workbench, request: Request, accept: str) -> Response:
    """The description of an endpoint as RDF; a reader of pages is led to the editor.

    Raises:
        HTTPException: 406, the reader takes none of these.
    """
    format_ = asked_for(None, accept, ("turtle", "jsonld", "html"))
    if format_ is None:
        raise HTTPException(406, "the description of this endpoint comes as text/turtle, application/ld+json")
    if format_ == "html":
        return RedirectResponse("/query", 303, headers={"Vary": "Accept"})
    quads = _description(bench, str(request.url.replace(query="")))
    body = serialize(quads, format_, {"sd": _SD, "formats": _FORMATS_OF_RDF})
    return Response(body, media_type=MEDIA_TYPES[format_][0], headers={"Vary": "Accept"})


def _description(bench: Workbench, address: str) -> list[ox.Quad]:
    """What an endpoint can do (SPARQL 1.1 Service Description)."""
    service, dataset, type_ = ox.NamedNode(address), ox.BlankNode(), ox.NamedNode(str(RDF.type))
    said = [
        ox.Quad(service, type_, _sd("Service")),
        ox.Quad(service, _sd("endpoint"), service),
        ox.Quad(service, _sd("supportedLanguage"), _sd("SPARQL11Query")),
        ox.Quad(service, _sd("defaultDataset"), dataset),
        ox.Quad(dataset, type_, _sd("Dataset")),
    ]
    said += [ox.Quad(service, _sd("resultFormat"), ox.NamedNode(_FORMATS_OF_RDF + name)) for name in _RESULT_FORMATS]
    for name in bench.store.named_graphs():
        graph = ox.BlankNode()
        said += [
            ox.Quad(dataset, _sd("namedGraph"), graph),
            ox.Quad(graph, type_, _sd("NamedGraph")),
            ox.Quad(graph, _sd("name"), name),
        ]
    return said


def _sd(name: str) -> ox.NamedNode:
    return ox.NamedNode(_SD + name)
