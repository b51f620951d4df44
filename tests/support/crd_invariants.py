"""The invariants of coverage-information of CRD 2.1 and 2.2 (CoverageInformation.fsh), by FHIRPath on an order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhirpathpy import evaluate
from fhirpathpy.models import models

from kb_tools.render.coverage_information import URL

_CONDITIONAL = "(url = 'covered' or url = 'pa-needed' or url = 'doc-needed') and value = '{}'"
_REASON = "extension.where(url = 'reason').exists()"
# As published, but: q3 in both directions, as its text has it; q4 by its intent, since its expression is malformed; q6
# by the code that its text names; q7 without memberOf, since only texts are given as reasons here.
INVARIANTS = {
    "crd-ci-q1": "extension.where(url = 'questionnaire').exists() implies extension.where(url = 'doc-needed').exists()",
    "crd-ci-q2": "extension.where(url = 'covered' and value = 'not-covered').exists() implies "
    "extension.where(url = 'pa-needed').exists().not()",
    "crd-ci-q3": f"extension.where({_CONDITIONAL.format('conditional')}).exists() = "
    "extension.where(url = 'info-needed').exists()",
    "crd-ci-q4": "extension.where(url = 'pa-needed' and (value = 'satisfied' or value = 'no-auth')).exists() implies "
    "extension.where(url = 'doc-purpose' and value = 'withpa').exists().not()",
    "crd-ci-q5": "extension.where(url = 'pa-needed' and value = 'satisfied').exists() = "
    "extension.where(url = 'satisfied-pa-id').exists()",
    "crd-ci-q6": f"extension.where(url = 'info-needed' and value = 'OTH').exists() implies {_REASON}",
    "crd-ci-q7": "extension.where(url = 'reason').all(value.text.exists())",
    "crd-ci-q8": f"extension.where(url = 'doc-purpose').exists() implies {_REASON}",
    "crd-ci-q9": f"extension.where({_CONDITIONAL.format('indeterminate')}).exists() implies {_REASON}",
}


def broken(order: dict[str, Any]) -> list[str]:
    """The invariants that a coverage-information of an order breaks."""
    return list(_broken(order))


def _broken(order: dict[str, Any]) -> Iterator[str]:
    for name, expression in INVARIANTS.items():
        found = evaluate(order, f"extension.where(url = '{URL}').all({expression})", {}, models["r4"])
        if found != [True]:
            yield name


def said(order: dict[str, Any]) -> dict[str, list[Any]]:
    """The values of the parts of the only coverage-information of an order, by name."""
    (extension,) = [extension for extension in order["extension"] if extension["url"] == URL]
    values: dict[str, list[Any]] = {}
    for part in extension["extension"]:
        values.setdefault(part["url"], []).append(next(value for key, value in part.items() if key != "url"))
    return values
