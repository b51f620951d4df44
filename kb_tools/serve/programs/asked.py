"""What the address and the headers of a program's request ask for."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request

from kb_tools.errors import KbError, did_you_mean


def parameters(request: Request, known: Sequence[str]) -> dict[str, str]:
    """The parameters of an address that have a value.

    Raises:
        KbError: one is none of those known, or is given twice.
    """
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise KbError(f"no parameter {name!a}", hint=did_you_mean(name, known) or f"known: {', '.join(known)}")
        if name in given:
            raise KbError(f"{name} is given twice", hint="give it once")
        given[name] = value
    return {name: value for name, value in given.items() if value}


def media_type(request: Request) -> str:
    """The media type of the body, without its parameters.

    Raises:
        HTTPException: the body is compressed, or is of another version of FHIR than R4.
    """
    found, *others = (part.strip() for part in request.headers.get("content-type", "").lower().split(";"))
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise HTTPException(415, "a body is read as it is; send it without Content-Encoding", {"Accept-Encoding": ""})
    for parameter in others:
        name, _, value = parameter.partition("=")
        if name.strip() == "fhirversion" and value.strip(' "') != "4.0":
            raise HTTPException(415, "FHIR is read as R4; send fhirVersion=4.0")
    return found


async def body(request: Request, most: int, too_large: str) -> bytes:
    """The body of a request.

    Raises:
        HTTPException: it is longer than it may be.
    """
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > most:
            raise HTTPException(413, too_large)
    return bytes(found)
