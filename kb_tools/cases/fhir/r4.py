"""The resource types of FHIR R4 that are read, its versions, and the library that defines them."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from kb_tools.cases import strict_json
from kb_tools.cases.memo import KEPT
from kb_tools.errors import KbError

# The types of resources that are read.
READ_TYPES = {
    "Claim",
    "ServiceRequest",
    "Coverage",
    "Patient",
    "Condition",
    "Procedure",
    "Observation",
    "MedicationAdministration",
    "QuestionnaireResponse",
    "DiagnosticReport",
    "ClinicalImpression",
    "AdverseEvent",
}
# Those of no patient, which are read only where something refers to them: what was given, and who pays.
SHARED_TYPES = {"Medication", "Organization"}
# All that is looked at.
KNOWN_TYPES = READ_TYPES | SHARED_TYPES
# Those that state findings by their codes.
STATING = ("Condition", "Procedure", "Observation", "MedicationAdministration")
# Those of which no finding is made, and what they say may be so all the same.
HINTING = ("DiagnosticReport", "ClinicalImpression", "AdverseEvent")
# Those that tell of the patient's health.
CLINICAL = {*STATING, *HINTING}
# Those that can be the request.
REQUESTS = ("Claim", "ServiceRequest")
# Where a resource of each type says whose it is.
SUBJECT = {
    "Claim": "patient",
    "Coverage": "beneficiary",
    **dict.fromkeys(
        (
            "ServiceRequest",
            "Condition",
            "Procedure",
            "Observation",
            "MedicationAdministration",
            "QuestionnaireResponse",
            *HINTING,
        ),
        "subject",
    ),
}
# Types of resources that other versions of FHIR have and R4 does not, with the version.
_TYPES_OF_OTHER_VERSIONS = {
    **dict.fromkeys(
        ("Conformance", "DiagnosticOrder", "DeviceUseRequest", "MedicationOrder", "Order", "OrderResponse"), "DSTU2"
    ),
    **dict.fromkeys(("ProcedureRequest", "ReferralRequest", "EligibilityRequest", "EligibilityResponse"), "STU3"),
    **dict.fromkeys(("BodySite", "DataElement", "DeviceComponent"), "STU3"),
    **dict.fromkeys(("ExpansionProfile", "ImagingManifest", "ProcessRequest", "ProcessResponse", "Sequence"), "STU3"),
    **dict.fromkeys(("ServiceDefinition",), "STU3"),
    **dict.fromkeys(("BiologicallyDerivedProductDispense", "DeviceAssociation", "DeviceDispense", "DeviceUsage"), "R5"),
    **dict.fromkeys(("EncounterHistory", "FormularyItem", "GenomicStudy", "ImagingSelection"), "R5"),
    **dict.fromkeys(("InventoryItem", "InventoryReport", "NutritionIntake", "Permission", "Transport"), "R5"),
}

# A resource of which the type comes first.
FIRST = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"resourceType"\s*:\s*"(\w{1,64})"')


class Decimal(float):
    """A JSON number with a fraction, with the digits in which it is written."""

    def __new__(cls, text: str) -> Decimal:
        self = float.__new__(cls, text)
        self.text = text
        return self

    text: str


def version_of(content: Any) -> str:
    """The version of FHIR that a resource is of by its type, where that is one that R4 does not have; else ""."""
    name = content.get("resourceType") if isinstance(content, dict) else None
    version = _TYPES_OF_OTHER_VERSIONS.get(name) if isinstance(name, str) else None
    return f"a {name}, a resource of FHIR {version}" if version else ""


def type_of(content: Any) -> str:
    """The type of a resource as far as it may be named: "resource" for one that R4 does not have."""
    name = content.get("resourceType") if isinstance(content, dict) else None
    return name if isinstance(name, str) and _is_type(name) else "resource"


@lru_cache(KEPT)
def _is_type(name: str) -> bool:
    return name.lower() in _library_modules() and name[:1].isupper()


_modules: set[str] = set()


def _library_modules() -> set[str]:
    if not _modules:
        _modules.update(module.name for module in iter_modules(library().__path__))
    return _modules


def library() -> Any:
    """The FHIR library.

    Raises:
        KbError: it is not installed.
    """
    try:
        return import_module("fhirclient.models")
    except ImportError as error:
        raise KbError("reading FHIR needs fhirclient", hint="pip install 'kb-tools[fhir]'") from error


def library_class(type_: str) -> Any:
    """The class of the library for a type of resource that R4 has."""
    return getattr(import_module(f"fhirclient.models.{type_.lower()}"), type_)


@lru_cache(KEPT)
def element_names(type_: str) -> frozenset[str]:
    """The names of the elements of a type of resource that R4 has."""
    return frozenset(name for _, name, *_ in library_class(type_)().elementProperties())


# Keys are not shown: they may tell of a person.
_DIALECT = strict_json.Dialect(
    fraction=Decimal,
    integer=int,
    too_large="send one bundle a line, in an .ndjson file",
    too_deep="a FHIR resource has a few levels",
)


def load(data: bytes, where: str, one_line: bool = False) -> Any:
    """The value of a FHIR JSON text; see `strict_json.load`."""
    return strict_json.load(data, where, _DIALECT, one_line)


def top(data: bytes) -> Any:
    """What a JSON text says at its top; of one that begins with its type no more than that, and nothing is parsed."""
    first = FIRST.match(data)
    return {"resourceType": first[1].decode()} if first else load(data, "", one_line=True)
