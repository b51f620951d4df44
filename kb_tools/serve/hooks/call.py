"""A call of a service of CDS Hooks: held to CDS Hooks 2.0 and to CRD, and taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from kb_tools.cases.fhir import r4
from kb_tools.cases.fhir.bundle import as_list, part_of_a_search
from kb_tools.cases.fhir.references import last_two
from kb_tools.errors import UnreadableInput, did_you_mean
from kb_tools.render.coverage_information import VERSIONS
from kb_tools.serve.hooks.services import CHART, DEFAULTS, HOOKS, PREFETCH

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# What a call is, as errors call it.
SOURCE = "call"
# Statuses of an order that is asked about: all others are over, or were never meant.
_OPEN = ("draft", "active")


class Refused(Exception):
    """Why a call cannot be answered.

    Args:
        status: of HTTP.
        code: of http://hl7.org/fhir/issue-type.
    """

    def __init__(self, status: int, code: str, what: str) -> None:
        self.status = status
        self.code = code
        super().__init__(what)


@dataclass(frozen=True)
class Call:
    """What is asked.

    Attributes:
        instance: the hookInstance.
        version: of CRD: that which the call requests, else the older, which had no way to request one.
        orders: the service requests that it is about.
        chart: what was sent of the patient, plan and chart, by its key in the prefetch.
        unsent: the keys of the chart that were not sent, or not in full.
        options: the configuration of CRD.
    """

    hook: str
    instance: str
    version: str
    orders: tuple[dict[str, Any], ...]
    chart: Mapping[str, Any]
    unsent: tuple[str, ...]
    options: Mapping[str, bool | int]

    @property
    def asks(self) -> bool:
        """Whether documentation may be asked for, which CRD forbids where an order is only selected."""
        return self.hook != "order-select"


def invalid(version: str, what: str) -> Refused:
    """The refusal of what is not valid CDS Hooks or FHIR: CRD 2.1 wants 422, and 2.2 keeps that for its own rules."""
    return Refused(400 if version == "2.2" else 422, "invalid", what)


def call_of(data: bytes, service: str) -> Call:
    """A call, from the body of a request.

    Args:
        service: the id under which it came, one of HOOKS.

    Raises:
        Refused: it cannot be answered.
    """
    try:
        content = r4.load(data, SOURCE)
    except UnreadableInput as error:
        raise Refused(400, "structure", f"not JSON that can be read: {error}") from error
    if not isinstance(content, dict):
        raise Refused(400, "structure", "a call is a JSON object")
    version = _version(content)
    _require_hook(content, service, version)
    context = _object(content, "context", version)
    prefetch = content.get("prefetch") or {}
    if not isinstance(prefetch, dict) or not all(value is None or _is_resource(value) for value in prefetch.values()):
        raise invalid(version, "prefetch: send an object of FHIR resources, null for those that found nothing")
    if "fhirAuthorization" in content and not isinstance(content.get("fhirServer"), str):
        raise invalid(version, "fhirServer is missing, which goes with fhirAuthorization")
    patient = _text(context, "patientId", version).removeprefix("Patient/")
    chart, unsent = _chart(prefetch)
    orders = tuple(_orders(context, service, prefetch, version))
    _require_patient(patient, orders, chart, version)
    return Call(service, content["hookInstance"], version, orders, chart, unsent, _options(content))


def _version(content: dict[str, Any]) -> str:
    """The version of CRD that is requested."""
    wanted = _extension(content).get("davinci-crd.requestedVersion")
    if wanted is None:
        return VERSIONS[0]
    if wanted not in VERSIONS:
        raise Refused(400, "not-supported", f"this version of CRD is not supported; request {' or '.join(VERSIONS)}")
    return str(wanted)


def _extension(content: dict[str, Any]) -> dict[str, Any]:
    found = content.get("extension")
    return found if isinstance(found, dict) else {}


def _options(content: dict[str, Any]) -> dict[str, bool | int]:
    """The configuration of a call; what it sets of a wrong type, or of what is not offered, is passed over."""
    given = _extension(content).get("davinci-crd.configuration")
    chosen = given if isinstance(given, dict) else {}
    return {
        code: chosen[code] if type(chosen.get(code)) is type(default) else default for code, default in DEFAULTS.items()
    }


def _require_hook(content: dict[str, Any], service: str, version: str) -> None:
    hook = _text(content, "hook", version)
    if hook != service:
        offered = ", ".join(HOOKS)
        hint = f"; {near}" if (near := did_you_mean(hook, HOOKS)) else ""
        raise invalid(version, f"this hook is not offered here, where {service} is; offered are {offered}{hint}")
    if not _UUID.fullmatch(_text(content, "hookInstance", version)):
        raise invalid(version, "hookInstance: send a UUID")


def _object(content: dict[str, Any], name: str, version: str) -> dict[str, Any]:
    found = content.get(name)
    if not isinstance(found, dict):
        raise invalid(version, f"{name}: missing, or no object")
    return found


def _text(content: dict[str, Any], name: str, version: str) -> str:
    found = content.get(name)
    if not isinstance(found, str) or not found:
        raise invalid(version, f"{name}: missing, or no text")
    return found


def _is_resource(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


# ---------------------------------------------------------------------- the chart


def _chart(prefetch: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What was sent of patient, plan and chart, and which parts of the chart were not, or not in full."""
    sent = {key: prefetch[key] for key in (*PREFETCH, *CHART) if key in prefetch and not _failed(prefetch[key])}
    unsent = tuple(key for key in CHART if key not in sent)
    return {key: value for key, value in sent.items() if value is not None}, unsent


def _failed(value: Any) -> bool:
    """Whether a query of the prefetch failed, or what it found is not all there is."""
    if not isinstance(value, dict):
        return False
    outcomes = [inner for inner in _held(value) if inner["resourceType"] == "OperationOutcome"]
    return value["resourceType"] == "OperationOutcome" or bool(part_of_a_search(value)) or any(map(_is_error, outcomes))


def _held(bundle: Any) -> list[dict[str, Any]]:
    """The resources of a bundle; none of what is no bundle."""
    entries = as_list(bundle.get("entry")) if isinstance(bundle, dict) else []
    return [entry["resource"] for entry in entries if isinstance(entry, dict) and _is_resource(entry.get("resource"))]


def _is_error(outcome: dict[str, Any]) -> bool:
    issues = [issue for issue in as_list(outcome.get("issue")) if isinstance(issue, dict)]
    return any(issue.get("severity") in ("error", "fatal") for issue in issues)


# ---------------------------------------------------------------------- the orders


def _orders(context: dict[str, Any], hook: str, prefetch: dict[str, Any], version: str) -> Iterator[dict[str, Any]]:
    """The service requests that a call is about."""
    if hook == "order-dispatch":
        _text(context, "performer", version)
        yield from _dispatched(context, prefetch, version)
        return
    _text(context, "userId", version)
    drafts = _object(context, "draftOrders", version)
    held = _held(drafts)
    if drafts.get("resourceType") != "Bundle" or not held or len(held) < len(as_list(drafts.get("entry"))):
        raise invalid(version, "draftOrders: send a Bundle that holds the orders")
    selected = _selected(context, version) if hook == "order-select" else None
    for order in held:
        if selected is None or f"{order['resourceType']}/{order.get('id')}" in selected:
            yield from _open(order)


def _selected(context: dict[str, Any], version: str) -> set[str]:
    selections = context.get("selections")
    if not isinstance(selections, list) or not all(isinstance(selection, str) for selection in selections):
        raise invalid(version, "selections: send a list of references to draft orders")
    return {last_two(selection) for selection in selections}


def _dispatched(context: dict[str, Any], prefetch: dict[str, Any], version: str) -> Iterator[dict[str, Any]]:
    """The orders that are dispatched, which stand in the prefetch; version 1.0 of the hook has one."""
    named = [context["order"]] if isinstance(context.get("order"), str) else context.get("dispatchedOrders")
    if not isinstance(named, list) or not named or not all(isinstance(name, str) for name in named):
        raise invalid(version, "dispatchedOrders: send a list of references to orders")
    sent: dict[str, dict[str, Any]] = {}
    for value in prefetch.values():
        for resource in filter(_is_resource, (value, *_held(value))):
            sent.setdefault(f"{resource['resourceType']}/{resource.get('id')}", resource)
    for name in map(last_two, named):
        if name.startswith("ServiceRequest/"):
            if name not in sent:
                what = "prefetch: serviceRequests is missing, or does not hold the order that is dispatched"
                raise Refused(412, "required", f"{what}; nothing is fetched, so nothing can be said without it")
            yield from _open(sent[name])


def _open(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The order if it is a service request that is asked about."""
    if order["resourceType"] == "ServiceRequest" and order.get("status") in _OPEN:
        yield order


def _require_patient(patient: str, orders: tuple[dict[str, Any], ...], chart: Mapping[str, Any], version: str) -> None:
    """Refuses orders, and a Patient, of somebody else than the context names."""
    named = [last_two(_reference(order.get("subject"))) for order in orders]
    sent = chart.get("patient", {})
    named += [f"Patient/{sent.get('id')}"] if sent.get("resourceType") == "Patient" else []
    if any(name and name != f"Patient/{patient}" for name in named):
        raise invalid(version, "resources of more than one patient: the context names another than what was sent")


def _reference(value: Any) -> str:
    reference = value.get("reference") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) else ""
