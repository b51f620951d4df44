"""The diseases that codes and references of a request, or of the focus of an observation, name."""

from __future__ import annotations

from collections.abc import Sequence

from rdflib import URIRef

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_READ, NOT_UNDERSTOOD, NOWHERE, USED, Skipped
from kb_tools.cases.fhir.standing import require_confirmed, require_patient
from kb_tools.rdf.namespaces import CLIN


def one_disease(assembly: Assembly, resource: Resource, found: set[URIRef], element: str) -> URIRef | None:
    """The narrowest of diseases that lie in one line; None, with a note, where they do not."""
    if not found:
        return None
    disease = assembly.terms.narrowest(found)
    if disease is None:
        resource.note(NOT_UNDERSTOOD, "several diseases, without saying which is treated", element)
    return disease


def diseases_of_codes(assembly: Assembly, resource: Resource, codings: Sequence[Element]) -> set[URIRef]:
    """The diseases that codes of a request name, with a note for each code that names none."""
    codes = assembly.codes
    found = codes.concepts(codings, CLIN.Disease)
    if codes.concepts(codings, CLIN.DiseaseStatus):
        text = "a request can name a disease but not its status: send the status as a Condition"
        resource.note(IGNORED, text, codings[0].path)
    if codings and not found:
        for coding in codings:
            if codes.meaning(coding) is None:
                resource.note(NOT_UNDERSTOOD, codes.unknown([coding]), coding.path)
            else:
                resource.note(IGNORED, f"{codes.name(coding)} names no disease that is treated", coding.path)
    return found


def diseases_of_reference(assembly: Assembly, resource: Resource, reference: Element) -> set[URIRef]:
    """The diseases of the Condition that a reference leads to, if that is a fact about the patient."""
    condition = assembly.references.follow(resource, reference)
    if condition is None:
        resource.note(NOT_UNDERSTOOD, NOWHERE, reference.path)
        return set()
    if condition.type != "Condition":
        resource.note(NOT_READ, "it refers to no condition", reference.path)
        return set()
    if condition.container:
        reason = condition.invalid()
        if reason:
            resource.note(NOT_UNDERSTOOD, reason, reference.path)
            return set()
        assembly.referred[condition] = None
    elif condition in assembly.rejected:
        resource.note(NOT_UNDERSTOOD, "what it refers to is not understood", reference.path)
        return set()
    try:
        require_patient(assembly, condition)
        require_confirmed(assembly.codes, condition)
    except Skipped:
        resource.note(IGNORED, "what it refers to is no fact about the patient", reference.path)
        return set()
    found = assembly.codes.concepts(condition.root.codings("code"), CLIN.Disease)
    if found:
        condition.note(USED, f"as the disease that {resource.place} is about", "code")
    return found
