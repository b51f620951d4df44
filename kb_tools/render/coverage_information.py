"""Da Vinci CRD: the extension `coverage-information` of an order, with what a knowledge base of criteria may say.

It never says that a service is covered, that no authorization is needed, that one is given, or that there is no
coverage: benefit and authorization come from the plan. `conditional` and `auth-needed`, with the status of the criteria
as the reason, is what is left.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from kb_tools.determine.result import Determination, Outcome
from kb_tools.render.determination_text import TITLES

URL = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
# The code system of CRD for what is not in any other yet.
TEMP = "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp"
# The versions of CRD in which the extension is written; they differ in how a detail is written.
VERSIONS = ("2.1", "2.2")
# What `assertion_id` gives.
_ASSERTION = re.compile(r"(.+)\.[0-9]{4}-[0-9]{2}\.[0-9a-f]{32}(?:\.partly)?")
# How the status is said where not all of the chart was sent.
PARTLY = " on what was sent, which is not all"
NO_PROMISE = "The plan decides: this is the status of criteria, neither coverage nor an authorization."


def coverage_information(
    found: Determination, coverage: str, day: date, version: str, page: str, form: str = "", partly: bool = False
) -> dict[str, Any] | None:
    """The extension for an order; None where the policy does not apply, of which nothing can be said.

    Args:
        coverage: the reference to the Coverage.
        day: that on which it is said.
        version: one of VERSIONS.
        page: the URL of the page with the criteria.
        form: the canonical of the Questionnaire that asks for what is missing; "" where nothing is to be asked.
        partly: whether not all of the chart was sent.
    """
    if found.outcome is Outcome.NOT_APPLICABLE:
        return None
    needed = form and not found.outcome.settled
    parts: list[tuple[str, str, Any]] = [
        ("coverage", "Reference", {"reference": coverage}),
        ("covered", "Code", "conditional"),
        ("pa-needed", "Code", "auth-needed"),
        *([("doc-needed", "Code", "clinical"), ("doc-purpose", "Code", "withpa")] if needed else []),
        ("info-needed", "Code", "OTH"),
        ("reason", "CodeableConcept", {"text": _reason(found, partly)}),
    ]
    extensions: list[dict[str, Any]] = [{"url": name, f"value{type_}": value} for name, type_, value in parts]
    extensions.append({"url": "detail", "extension": _policy_link(version, page)})
    if needed:
        extensions.append({"url": "questionnaire", "valueCanonical": form})
    extensions.append({"url": "date", "valueDate": day.isoformat()})
    extensions.append({"url": "coverage-assertion-id", "valueString": assertion_id(found, partly)})
    return {"url": URL, "extension": extensions}


def _reason(found: Determination, partly: bool) -> str:
    """The status of the criteria as the reason of what is said, in one line."""
    revision = found.revision
    status = TITLES[found.outcome].lower() + (PARTLY if partly else "")
    return (
        f"{revision.policy.identifier} revision {revision.entry.name}: {status}, because {found.because}. {NO_PROMISE}"
    )


def assertion_id(found: Determination, partly: bool = False) -> str:
    """What a determination is called by: the same for the same case under the same revision; of nobody's data."""
    revision = found.revision
    name = f"{revision.policy.identifier}.{revision.entry.name}.{found.case.digest[:32]}"
    return f"{name}.partly" if partly else name


def _policy_link(version: str, page: str) -> list[dict[str, Any]]:
    """The detail that links to the criteria. Only 2.2 has categories."""
    category = [{"url": "category", "valueCode": "cat-other"}] if version == "2.2" else []
    code = {"coding": [{"system": TEMP, "code": "policy-link"}]}
    return [*category, {"url": "code", "valueCodeableConcept": code}, {"url": "value", "valueUrl": page}]


def updated(order: dict[str, Any], information: dict[str, Any]) -> dict[str, Any] | None:
    """The order with the extension, in place of what was said of the same Coverage and policy; None where not new.

    What another policy on file says of the same Coverage stays beside it.
    """
    kept = []
    for extension in order.get("extension", []):
        same = extension.get("url") == URL and _said(extension, "coverage") == _said(information, "coverage")
        if same and _policy(extension) in (None, _policy(information)):
            if _said(extension, "coverage-assertion-id") == _said(information, "coverage-assertion-id"):
                return None
        else:
            kept.append(extension)
    return {**order, "extension": [*kept, information]}


def _policy(extension: dict[str, Any]) -> str | None:
    """The policy on whose criteria something was said; None where nothing of this tool was."""
    found = _ASSERTION.fullmatch(str(_said(extension, "coverage-assertion-id")))
    return found[1] if found else None


def _said(extension: dict[str, Any], name: str) -> Any:
    """The value of a part of an extension; None for none."""
    for part in extension.get("extension", []):
        if part.get("url") == name:
            return next((value for key, value in part.items() if key != "url"), None)
    return None
