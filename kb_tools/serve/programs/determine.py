"""The address at which programs have cases determined: a few in one body, or very many on lines.

A case comes in the body of a request alone, and nothing of it is kept, logged or put into an address.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kb_tools import as_json
from kb_tools.errors import KbError, did_you_mean
from kb_tools.serve.case.desk import DOOR, Chosen
from kb_tools.serve.determining import FORMS, Determining
from kb_tools.serve.formats import asked_for
from kb_tools.serve.happened import happened
from kb_tools.serve.programs.asked import body, media_type, parameters
from kb_tools.serve.programs.batch import LINES, ROWS, Batches

API = DOOR
# The largest body of cases, in bytes.
MAX_CASE = 4 * 1024 * 1024
TOO_LARGE = f"a case of more than {MAX_CASE // 2**20} MiB; send less, or use kb validate"
# The format of a case by the media type of the body, as kb validate --input-format calls it.
FORMATS = {
    "application/json": "json",
    "application/fhir+json": "json",
    "text/turtle": "turtle",
    "application/trig": "trig",
    "application/n-triples": "ntriples",
    "application/ld+json": "jsonld",
}
CHOICE = ("policy", "revision", "asOf")
_ANSWERS = {form: (kind,) for kind, form in FORMS.items()}


def routes(determining: Determining) -> list[Route]:
    """The address."""
    batches = Batches(determining)

    async def determine(request: Request) -> Response:
        """Cases as kb validate answers them."""
        given = media_type(request)
        if given == LINES:
            asked = parameters(request, (*CHOICE, "rows"))
            chosen, rows = _chosen(determining, asked), _rows(asked.get("rows", ROWS[0]))
            if rows != ROWS[0] and chosen["policy"] is None:
                # Rows are of one policy.
                chosen = {**chosen, "policy": determining.policy(None, *filter(None, [chosen["revision"]])).identifier}
            return batches.answers(chosen, rows)
        if given not in FORMATS:
            known = ", ".join((*FORMATS, LINES))
            raise HTTPException(415, f"a case comes as {known}, named in the header Content-Type")
        chosen = _chosen(determining, parameters(request, CHOICE))
        form = asked_for(None, request.headers.get("accept", ""), _ANSWERS, _ANSWERS)
        if form is None:
            raise HTTPException(406, f"an answer comes as {', '.join(FORMS)}")
        data = await body(request, MAX_CASE, TOO_LARGE)
        found = await determining.determine(data, FORMATS[given], chosen, form)
        happened(request.scope).add(found.told["outcomes"], found.told["revisions"])
        if found.read:
            return Response(found.body, media_type=_ANSWERS[form][0], headers={"Vary": "Accept"})
        errors = found.told["errors"]
        content = {"type": "about:blank", "title": "No case can be read", "status": 422, "detail": errors[0]}
        problem = as_json.dump({**content, "near": [], "errors": errors})
        return Response(problem, 422, media_type="application/problem+json")

    return [Route(API, determine, methods=["POST"], name="determine")]


def _chosen(determining: Determining, asked: dict[str, str]) -> Chosen:
    return determining.chosen(*(asked.get(name) for name in CHOICE))


def _rows(given: str) -> str:
    if given not in ROWS:
        raise KbError(f"rows: {given!a}", hint=did_you_mean(given, ROWS) or f"known: {', '.join(ROWS)}")
    return given
