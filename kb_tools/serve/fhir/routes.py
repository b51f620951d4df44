"""The addresses at /fhir: operations on FHIR R4 as JSON, and every error as an OperationOutcome.

A request comes in a body alone. Nothing of it is kept or logged.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kb_tools.as_json import compact
from kb_tools.serve import outcomes
from kb_tools.serve.case.desk import Chosen
from kb_tools.serve.determining import Determining
from kb_tools.serve.fhir.capability import MEDIA_TYPE, capability_statement, determine_definition
from kb_tools.serve.formats import asked_for
from kb_tools.serve.happened import happened
from kb_tools.serve.programs.asked import body, media_type, parameters
from kb_tools.serve.programs.determine import CHOICE, MAX_CASE

AT = "/fhir"
# What a reader may ask for, by the Accept header or as _format. In an address, a plus sign stands for a space.
_FORMATS = {"json": (MEDIA_TYPE, "application/json")}
_NAMED = {"json": "json", **dict.fromkeys((*_FORMATS["json"], "application/fhir json"), "json")}
_TOO_LARGE = f"a request of more than {MAX_CASE // 2**20} MiB; send less, or use kb validate"
_NOTHING_KEPT = "no requests are kept here, so there is none to ask after; submit the request again to have it read"


def routes(determining: Determining) -> list[Route]:
    """The addresses."""
    operations = _Operations(determining)
    return [
        Route(f"{AT}/metadata", _metadata),
        Route(f"{AT}/OperationDefinition/determine", _definition),
        Route(f"{AT}/$determine", operations.determine, methods=["POST"]),
        Route(f"{AT}/Claim/$submit", operations.submit, methods=["POST"]),
        Route(f"{AT}/Questionnaire/$questionnaire-package", operations.package, methods=["POST"]),
        Route(f"{AT}/Claim/$inquire", _inquire, methods=["POST"]),
    ]


def beside(app: ASGIApp, addresses: Sequence[Route]) -> ASGIApp:
    """An application that answers what is at /fhir by itself, errors too, and leaves all else to another."""
    return outcomes.beside(app, AT, addresses, f"{AT}/metadata")


# ---------------------------------------------------------------------- what is answered


def _metadata(request: Request) -> Response:
    _require_json_wanted(request)
    return _sent(compact(capability_statement()))


def _definition(request: Request) -> Response:
    _require_json_wanted(request)
    return _sent(compact(determine_definition()))


def _inquire(request: Request) -> Response:
    return outcomes.failed(501, _NOTHING_KEPT)


class _Operations:
    def __init__(self, determining: Determining) -> None:
        self._determining = determining

    async def determine(self, request: Request) -> Response:
        return await self._answered(request, "$determine")

    async def submit(self, request: Request) -> Response:
        return await self._answered(request, "Claim/$submit")

    async def package(self, request: Request) -> Response:
        return await self._answered(request, "Questionnaire/$questionnaire-package")

    async def _answered(self, request: Request, operation: str) -> Response:
        _require_json_wanted(request)
        _require_json_sent(request)
        chosen = self._chosen(request)
        sent = await body(request, MAX_CASE, _TOO_LARGE)
        found = await self._determining.exchange(operation, chosen, body=sent)
        become = found.content["told"]
        happened(request.scope).add(become["outcomes"], become["revisions"])
        if found.body is not None:
            return _sent(found.body)
        return outcomes.outcome(found.content["status"], [(code, text) for code, text in found.content["issues"]])

    def _chosen(self, request: Request) -> Chosen:
        """The revision that the address names.

        Raises:
            KbError: a parameter is none of those known, or there is no such policy, revision or day.
        """
        given = parameters(request, (*CHOICE, "_format", "_pretty"))
        return self._determining.chosen(*(given.get(name) for name in CHOICE))


# ---------------------------------------------------------------------- what is required of a request


def _require_json_wanted(request: Request) -> None:
    """Refuses a reader who takes no JSON."""
    named = request.query_params.get("_format")
    accept = request.headers.get("accept", "")
    wanted = _NAMED.get(named) if named else asked_for(None, accept, ("json",), _FORMATS)
    if wanted is None:
        raise HTTPException(406, f"answers come as {MEDIA_TYPE} alone")


def _require_json_sent(request: Request) -> None:
    """Refuses a body that is not said to be FHIR R4 as JSON."""
    if media_type(request) != MEDIA_TYPE:
        raise HTTPException(415, f"a request comes as {MEDIA_TYPE}, named in the header Content-Type")
    for parameter in request.headers["content-type"].lower().split(";")[1:]:
        name, _, value = (part.strip(' "') for part in parameter.partition("="))
        if name == "charset" and value != "utf-8":
            raise HTTPException(415, "a request comes in UTF-8")


# ---------------------------------------------------------------------- answers


def _sent(body: bytes) -> Response:
    return Response(body, media_type=MEDIA_TYPE)
