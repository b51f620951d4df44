"""What the profiles of Da Vinci PAS 2.2.1 require of a response, as FHIRPath, run by fhirpathpy.

The invariants go by the names that the guide gives them; the rest are the cardinalities, fixed values and types of
`input/fsh` (HL7/davinci-pas, tag 2.2.1) for the elements that a response of ours may have. Then there are invariants of
R4 itself, which the validator does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from fhirpathpy import compile as compiled
from fhirpathpy.models import models

PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
_TRACE = f"extension('{PAS}extension-itemTraceNumber')"
_REVIEW = f"extension('{PAS}extension-reviewAction')"
_CODE = f"extension('{PAS}extension-reviewActionCode')"
_LINE = f"extension('{PAS}extension-serviceLineNumber')"
_SUBMITTED = "category.coding.where(system='http://terminology.hl7.org/CodeSystem/adjudication' and code='submitted')"

PROFILES = {
    "pas-response-bundle": {
        "ClaimResponseFirst": "entry.first().resource is ClaimResponse",
        "identifier 1..1": "identifier.count() = 1",
        "type collection": "type = 'collection'",
        "timestamp 1..1": "timestamp.count() = 1",
        "entry 1..*": "entry.exists()",
        "entry.fullUrl and resource 1..1": "entry.all(fullUrl.count() = 1 and resource.count() = 1)",
        "no search, request, response": "(entry.search | entry.request | entry.response).empty()",
        "one ClaimResponse": "entry.resource.where($this is ClaimResponse).count() = 1",
    },
    "claimresponse": {
        "identifier is a PASIdentifier": "identifier.all(system.count() = 1 and value.count() = 1)",
        "status active": "status = 'active'",
        "use preauthorization": "use = 'preauthorization'",
        "request 1..1": "request.count() = 1",
        "outcome of the guide": "outcome in ('complete' | 'error' | 'partial')",
        "itemTraceNumber is a PASIdentifier": f"item.{_TRACE}.all(value.ofType(Identifier).where("
        "system.count() = 1 and value.count() = 1).count() = 1)",
        "adjudication.category submitted": f"item.adjudication.all({_SUBMITTED}.count() = 1)",
        "reviewAction 0..1": f"item.adjudication.all({_REVIEW}.count() <= 1)",
        "reviewActionCode 0..1": f"item.adjudication.{_REVIEW}.all({_CODE}.count() <= 1)",
        "reviewActionCode is a CodeableConcept": f"item.adjudication.{_REVIEW}.{_CODE}.all(value is CodeableConcept)",
        "processNote.number 1..1": "processNote.all(number.count() = 1)",
        "notes are there": "item.noteNumber.all($this in %context.processNote.number)",
    },
    "communicationrequest": {
        "IdentifierUnlessVO": "$this.medium.coding.where(code='VO').count() = 0 implies $this.identifier.count() > 0",
        "identifier 0..1": "identifier.count() <= 1",
        "status active": "status = 'active'",
        "category 0..1": "category.count() <= 1",
        "medium 0..1": "medium.count() <= 1",
        "payload 0..1": "payload.count() <= 1",
        "payload.content is a string": "payload.all(content is string)",
        "serviceLineNumber 0..1": f"{_LINE}.count() <= 1",
        "serviceLineNumber is a positiveInt": f"{_LINE}.all(value > 0)",
    },
}
# By type of resource.
R4 = {
    "Bundle": {
        "bdl-1": "total.empty() or (type = 'searchset') or (type = 'history')",
        "bdl-7": "entry.select(fullUrl & '|' & resource.meta.versionId).isDistinct()",
        "bdl-8": "entry.all(fullUrl.contains('/_history/').not())",
        "bdl-9": "type = 'document' implies (identifier.system.exists() and identifier.value.exists())",
    },
    "CapabilityStatement": {
        "cpb-1": "rest.exists() or messaging.exists() or document.exists()",
        "cpb-2": "(description.count() + software.count() + implementation.count()) > 0",
        "cpb-9": "rest.all(resource.select(type).isDistinct())",
        "cpb-14": "kind != 'instance' or implementation.exists()",
        "cpb-15": "kind != 'capability' or (implementation.exists().not() and software.exists())",
    },
    "OperationDefinition": {
        "opd-0": "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
        "opd-1": "parameter.all(type.exists() or part.exists())",
    },
    "Questionnaire": {
        "que-0": "name.exists() implies name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
        "que-2": "descendants().linkId.isDistinct()",
        "que-1": "descendants().where(linkId.exists()).all((type = 'group' implies item.exists()) "
        "and (type = 'display' implies item.empty()))",
    },
    "OperationOutcome": {"issue 1..*": "issue.exists()"},
}


def broken(resource: Any, where: str = "") -> Iterator[str]:
    """The rules that a resource breaks, of the profiles that it claims and of its type; those within a bundle too.

    A profile that is claimed and not known here counts as broken.
    """
    rules = dict(R4.get(resource["resourceType"], {}))
    for claimed in resource.get("meta", {}).get("profile", ()):
        name, _, version = claimed.removeprefix(f"{PAS}profile-").partition("|")
        if version != "2.2.1" or name not in PROFILES:
            yield f"{where}{claimed}: not known here"
        rules |= PROFILES.get(name, {})
    for name, rule in rules.items():
        if _checked(rule)(resource, {"context": resource}) != [True]:
            yield f"{where}{resource['resourceType']}: {name}"
    for i, entry in enumerate(resource.get("entry", ())):
        yield from broken(entry["resource"], f"{where}entry[{i}] ")


@cache
def _checked(rule: str) -> Callable[[Any, Any], Any]:
    """A rule, read once."""
    found: Callable[[Any, Any], Any] = compiled(rule, models["r4"])
    return found
