"""What the FHIR operations do in a worker process: from the bytes of a request to those of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import uuid4

from kb_tools.as_json import compact
from kb_tools.cases.case import Malformed
from kb_tools.cases.fhir.r4 import load, type_of
from kb_tools.cases.record import Treatment
from kb_tools.determine.result import Determination, NotDetermined
from kb_tools.determine.run import Answer
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.render.pas import response_bundle
from kb_tools.render.pas_request import CancelledRequest, pas_request
from kb_tools.serve.case.answer import SOURCE
from kb_tools.serve.case.desk import UNREAD, Chosen, Desk, Told, told
from kb_tools.serve.case.messages import Message
from kb_tools.serve.fhir.dtr import Packages
from kb_tools.serve.view import without_options

# The operations by which cases are determined, and what is before them in the addresses that records name.
DETERMINE, SUBMIT = "$determine", "Claim/$submit"
_DOORS = "/fhir/"
# Where the request that a response answers stands in its bundle.
_FIRST = "entry[0] Claim"


class Outcome(TypedDict):
    """What became of a request: the status, the issues where it is refused, and nothing of whom it was.

    `told` is what became of the cases.
    """

    status: int
    issues: list[tuple[str, str]]
    told: Told


def operations(desk: Desk) -> dict[str, Callable[..., Message]]:
    """What can be asked of a desk for the FHIR interface, by name."""

    def determine(chosen: Chosen, data: bytes) -> Message:
        return _determine(desk, chosen, data)

    def submit(chosen: Chosen, data: bytes) -> Message:
        return _submit(desk, chosen, data)

    package = Packages(desk).answer
    return {DETERMINE: determine, SUBMIT: submit, "Questionnaire/$questionnaire-package": package}


def _determine(desk: Desk, chosen: Chosen, data: bytes) -> Message:
    """What the case in a bundle comes to, as kb validate --format fhir says it."""
    try:
        _resource(data)
    except UnreadableInput as error:
        return _refused(400, [("structure", line) for line in error.lines()])
    found = desk.determine("json", chosen, "fhir", data, _DOORS + DETERMINE)
    if not found.content["read"]:
        return _refused(422, [("processing", line) for line in found.content["errors"]], found.content)
    return Message(Outcome(status=200, issues=[], told=found.content), found.body)


def _submit(desk: Desk, chosen: Chosen, data: bytes) -> Message:
    """The PAS response to a PAS request."""
    try:
        bundle = _resource(data)
    except UnreadableInput as error:
        return _refused(400, [("structure", line) for line in error.lines()])
    try:
        request = pas_request(bundle)
    except CancelledRequest as error:
        return _refused(422, [("business-rule", str(error))])
    except UnreadableInput as error:
        return _refused(422, [("invalid", str(error))])
    answered = desk.answers(data, "json", chosen)
    (found,) = answered
    if not isinstance(found, Determination):
        return _refused(422, why_not(found), told(answered))
    if not _is_of_the_first(found):
        what = "the first entry is not the request that was read; put the Claim that is asked for first"
        return _refused(422, [("invalid", what)])
    desk.record([found], _DOORS + SUBMIT, chosen)
    response = response_bundle(desk.forms, request, found, uuid4(), datetime.now(UTC))
    return Message(Outcome(status=200, issues=[], told=told(answered)), compact(response))


def _resource(data: bytes) -> Any:
    """The resource in a body.

    Raises:
        UnreadableInput: it is no JSON, or no resource.
    """
    content = load(data, SOURCE)
    if not isinstance(content, dict) or "resourceType" not in content:
        raise UnreadableInput("no FHIR resource", where=SOURCE, hint="send a Bundle")
    if type_of(content) not in ("Bundle", "Parameters", "resource"):
        raise UnreadableInput("no Bundle", where=SOURCE, hint="put all that belongs to the request into a Bundle")
    return content


def why_not(found: Answer | KbError) -> list[tuple[str, str]]:
    """Why a case was not determined."""
    if isinstance(found, Malformed):
        return [("invalid", violation.message) for violation in found.violations]
    error = found.error if isinstance(found, NotDetermined) else found
    assert isinstance(error, KbError)
    return [("processing", without_options(line)) for line in error.lines()]


def _is_of_the_first(found: Determination) -> bool:
    """Whether the request that was determined is the first entry of its bundle."""
    notes = found.case.reading.notes if found.case.reading else ()
    return any(note.place == _FIRST and note.treatment is Treatment.USED for note in notes)


def _refused(status: int, issues: Iterable[tuple[str, str]], become: Told = UNREAD) -> Message:
    return Message(Outcome(status=status, issues=list(issues), told=become))
