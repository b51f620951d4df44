"""Addresses at which every error is an OperationOutcome of FHIR: those of /fhir, and those of CDS Hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

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
from kb_tools.serve.fhir.capability import MEDIA_TYPE
from kb_tools.serve.programs.watching import GONE
from kb_tools.serve.refusals import refusal

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


def beside(
    app: ASGIApp,
    at: str,
    addresses: Sequence[Route],
    listed_at: str,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> ASGIApp:
    """An application that answers what is under a path by itself, errors too, and leaves all else to another.

    Args:
        at: the path, as "/fhir".
        listed_at: the address that lists what there is.
        around: put around what answers there.
    """

    def on_status(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            # The address may name a patient.
            return failed(404, f"there is nothing at this address; GET {listed_at} lists what there is")
        if error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            return failed(405, f"this address answers {allowed} alone", error.headers)
        return failed(error.status_code, error.detail, error.headers)

    answering = Starlette(
        routes=addresses,
        exception_handlers={
            HTTPException: on_status,
            KbError: _on_error,
            ClientDisconnect: _on_leaving,
            Exception: _on_defect,
        },
    )
    inner = around(Limited(answering, lambda scope: failed(413, TOO_LARGE)))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        within = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{at}/")
        await (inner if within else app)(scope, receive, send)

    return answer


def outcome(status: int, issues: Iterable[tuple[str, str]], headers: Mapping[str, str] | None = None) -> Response:
    """An OperationOutcome of errors.

    Args:
        issues: each the code of http://hl7.org/fhir/issue-type, and what is wrong.
    """
    return Response(compact(operation_outcome(issues)), status, headers, MEDIA_TYPE)


def failed(status: int, what: str, headers: Mapping[str, str] | None = None) -> Response:
    """The same of one error, whose code follows from the status."""
    return outcome(status, [(_CODES.get(status, "invalid"), what)], headers)


def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KbError)
    return failed(*refusal(error))


def _on_leaving(request: Request, error: Exception) -> Response:
    # Nobody hears it.
    return Response(status_code=GONE)


def _on_defect(request: Request, error: Exception) -> Response:
    # What went wrong may quote a request: it is named by its type alone.
    return failed(500, f"unexpected {type(error).__name__}; kb check says whether the knowledge base is sound")
