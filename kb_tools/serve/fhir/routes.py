"""The addresses at /fhir: operations on FHIR R4 as JSON, and every error as an OperationOutcome.

A request comes in a body alone. Nothing of it is kept or logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kb_tools.as_json import compact
from kb_tools.errors import KbError
from kb_tools.render.fhir_outcome import operation_outcome
from kb_tools.serve.bodies import TOO_LARGE, Limited
from kb_tools.serve.case.desk import Chosen
from kb_tools.serve.determining import Determining
from kb_tools.serve.fhir.capability import MEDIA_TYPE, capability_statement, determine_definition
from kb_tools.serve.formats import asked_for
from kb_tools.serve.happened import happened
from kb_tools.serve.programs.asked import body, media_type, parameters
from kb_tools.serve.programs.determine import CHOICE, MAX_CASE
from kb_tools.serve.programs.watching import GONE
from kb_tools.serve.refusals import refusal

_AT = "/fhir"
# What a reader may ask for, by the Accept header or as _format. In an address, a plus sign stands for a space.
_FORMATS = {"json": (MEDIA_TYPE, "application/json")}
_NAMED = {"json": "json", **dict.fromkeys((*_FORMATS["json"], "application/fhir json"), "json")}
# Codes of http://hl7.org/fhir/issue-type by status; any other of 4xx is "invalid".
_CODES = {
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    413: "too-long",
    415: "not-supported",
    500: "exception",
    501: "not-supported",
    503: "transient",
}
_TOO_LARGE = f"a request of more than {MAX_CASE // 2**20} MiB; send less, or use kb validate"
_NOTHING_KEPT = "no requests are kept here, so there is none to ask after; submit the request again to have it read"


def routes(determining: Determining) -> list[Route]:
    """The addresses."""
    operations = _Operations(determining)
    return [
        Route(f"{_AT}/metadata", _metadata),
        Route(f"{_AT}/OperationDefinition/determine", _definition),
        Route(f"{_AT}/$determine", operations.determine, methods=["POST"]),
        Route(f"{_AT}/Claim/$submit", operations.submit, methods=["POST"]),
        Route(f"{_AT}/Questionnaire/$questionnaire-package", operations.package, methods=["POST"]),
        Route(f"{_AT}/Claim/$inquire", _inquire, methods=["POST"]),
    ]


def beside(app: ASGIApp, addresses: Sequence[Route]) -> ASGIApp:
    """An application that answers what is at /fhir by itself, errors too, and leaves all else to another."""
    fhir = Starlette(
        routes=addresses,
        exception_handlers={
            HTTPException: _on_status,
            KbError: _on_error,
            ClientDisconnect: _on_leaving,
            Exception: _on_defect,
        },
    )
    limited = Limited(fhir, lambda scope: _failed(413, TOO_LARGE))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        within = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{_AT}/")
        await (limited if within else app)(scope, receive, send)

    return answer


# ---------------------------------------------------------------------- what is answered


def _metadata(request: Request) -> Response:
    _require_json_wanted(request)
    return _sent(compact(capability_statement()))


def _definition(request: Request) -> Response:
    _require_json_wanted(request)
    return _sent(compact(determine_definition()))


def _inquire(request: Request) -> Response:
    return _failed(501, _NOTHING_KEPT)


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
        if become:
            happened(request.scope).add(become["outcomes"], become["revisions"])
        if found.body is not None:
            return _sent(found.body)
        return _outcome(found.content["status"], [(code, text) for code, text in found.content["issues"]])

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


def _outcome(status: int, issues: Iterable[tuple[str, str]], headers: Mapping[str, str] | None = None) -> Response:
    return Response(compact(operation_outcome(issues)), status, headers, MEDIA_TYPE)


def _failed(status: int, what: str, headers: Mapping[str, str] | None = None) -> Response:
    return _outcome(status, [(_CODES.get(status, "invalid"), what)], headers)


def _on_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        # The address may name a patient.
        return _failed(404, "there is nothing at this address; GET /fhir/metadata lists what there is")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return _failed(405, f"this address answers {allowed} alone", error.headers)
    return _failed(error.status_code, error.detail, error.headers)


def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KbError)
    return _failed(*refusal(error))


def _on_leaving(request: Request, error: Exception) -> Response:
    # Nobody hears it.
    return Response(status_code=GONE)


def _on_defect(request: Request, error: Exception) -> Response:
    # What went wrong may quote a request: it is named by its type alone.
    return _failed(500, f"unexpected {type(error).__name__}; kb check says whether the knowledge base is sound")
