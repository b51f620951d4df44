"""The services of CDS Hooks that are offered, and what an EHR sends with each (CRD, discovery)."""

from __future__ import annotations

from typing import Any

from kb_tools.render.coverage_information import VERSIONS

_PATIENT = "patient={{context.patientId}}"
# Who and by whom it is paid, and the chart: what findings are read from, and what can raise a doubt about them.
PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "coverage": f"Coverage?{_PATIENT}&status=active",
}
CHART = {
    "conditions": f"Condition?{_PATIENT}",
    "procedures": f"Procedure?{_PATIENT}",
    "observations": f"Observation?{_PATIENT}",
    "medicationAdministrations": f"MedicationAdministration?{_PATIENT}&_include=MedicationAdministration:medication",
    "diagnosticReports": f"DiagnosticReport?{_PATIENT}",
    "questionnaireResponses": f"QuestionnaireResponse?{_PATIENT}",
}
# As CRD defines it: what is dispatched is named by the context, and not in it.
DISPATCHED = "ServiceRequest?_id={{context.dispatchedOrders.resolve().ofType(ServiceRequest).id}}"
_WHAT = (
    "The status of the criteria of the policies on file for the services ordered, what is missing, and where the "
    "criteria stand. A preview for people: it neither approves nor denies, and says nothing of benefit."
)
# The hooks, each with its title. The id of a service is that of its hook.
HOOKS = {
    "order-sign": "Criteria for orders that are signed",
    "order-select": "Criteria for orders that are selected",
    "order-dispatch": "Criteria for orders that are dispatched",
}
_OPTIONS: list[dict[str, Any]] = [
    {
        "code": "coverage-info",
        "type": "boolean",
        "name": "Coverage information",
        "description": "Whether orders are given the extension that says that the plan decides, and on which criteria.",
        "default": True,
    },
    {
        "code": "guideline",
        "type": "boolean",
        "name": "Criteria",
        "description": "Whether a card gives the status of the criteria for an order.",
        "default": True,
    },
    {
        "code": "max-cards",
        "type": "integer",
        "name": "Most cards",
        "description": "The most cards of one answer.",
        "default": 10,
    },
]
DEFAULTS: dict[str, bool | int] = {str(option["code"]): option["default"] for option in _OPTIONS}


def discovery() -> dict[str, Any]:
    """The answer to GET /cds-services."""
    return {"services": [_service(hook, title) for hook, title in HOOKS.items()]}


def _service(hook: str, title: str) -> dict[str, Any]:
    dispatched = {"serviceRequests": DISPATCHED} if hook == "order-dispatch" else {}
    return {
        "hook": hook,
        "id": hook,
        "title": title,
        "description": _WHAT,
        "prefetch": {**PREFETCH, **dispatched, **CHART},
        "usageRequirements": "Nothing is fetched: what is not sent by prefetch is unknown.",
        "extension": {"davinci-crd.version": list(VERSIONS), "davinci-crd.configuration-options": _OPTIONS},
    }
