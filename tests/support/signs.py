"""AL.2, a policy made up for the tests: it counts signs, and has several indications. Cases of its signs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository

ROOT = Path(__file__).parents[2]
AL2 = ROOT / "tests/data/AL.2"
VALUES = ("holds", "fails", "unknown", "conflicting")


def with_al2(root: Path) -> Path:
    """A knowledge base with that policy alone."""
    for folder in ("ontology", "shapes"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copytree(AL2, root / "policies/AL.2")
    return root


# The finding that makes a sign hold, and the one that makes it fail; both of one day contradict each other.
_FINDINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mrd-is-detected": (
        {"type": "MRDTest", "method": "FlowCytometry", "mrdResult": "MRDDetected"},
        {"type": "MRDTest", "method": "FlowCytometry", "mrdResult": "MRDNotDetected"},
    ),
    "relapse-risk-is-raised": (
        {"type": "RelapseRiskAssessment", "relapseRisk": "RaisedRelapseRisk"},
        {"type": "RelapseRiskAssessment", "relapseRisk": "RelapseRiskNotRaised"},
    ),
    "chimerism-is-mixed": (
        {"type": "ChimerismTest", "lineage": "TCells", "donorPercent": 50},
        {"type": "ChimerismTest", "lineage": "TCells", "donorPercent": 100},
    ),
    "disease-is-relapsed": (
        {"type": "DiseaseStatusAssessment", "disease": "AcuteMyeloidLeukemia", "diseaseStatus": "Relapsed"},
        {"type": "DiseaseStatusAssessment", "disease": "AcuteMyeloidLeukemia", "diseaseStatus": "CompleteRemission"},
    ),
    "acute-gvhd-of-grade-2-or-higher": (
        {"type": "AcuteGvHDAssessment", "grade": 3},
        {"type": "AcuteGvHDAssessment", "grade": 0},
    ),
    "earlier-dli-was-given": (
        {"type": "EarlierInfusion"},
        {"type": "StatedAbsence", "absenceOf": "EarlierInfusion"},
    ),
}
# What of the request makes a condition hold, and what makes it fail.
_REQUEST: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "raising-donor-chimerism-is-the-only-purpose": (
        {"purposes": ["RaiseDonorChimerism"]},
        {"purposes": ["LowerRelapseRisk"]},
    ),
    "lymphocytes-manipulated-ex-vivo": (
        {"product": {"processing": ["Enrichment"]}},
        {"product": {"processing": ["Unmanipulated"]}},
    ),
}


def written(name: str, values: Mapping[str, str]) -> str:
    """A case as plain JSON in which conditions, by their local names, have these values; it asks for the service."""
    request: dict[str, Any] = {
        "service": "DonorLymphocyteInfusion",
        "serviceDate": "2026-07-01",
        "reason": "AcuteMyeloidLeukemia",
    }
    findings = []
    for condition, value in values.items():
        sides = {"holds": (0,), "fails": (1,), "conflicting": (0, 1), "unknown": ()}[value]
        for side in sides:
            if condition in _REQUEST:
                request |= _REQUEST[condition][side]
            else:
                findings.append({"date": "2026-06-01", "basis": "ChartEvidence", **_FINDINGS[condition][side]})
    return json.dumps({"id": name, "patient": "p", "request": request, "findings": findings})


def cases_of(kb: Repository, file: Path, rows: Iterable[Mapping[str, str]]) -> list[Case]:
    """Cases in which conditions have these values, in the order of the rows."""
    file.write_text("".join(f"{written(str(number), row)}\n" for number, row in enumerate(rows)), encoding="utf-8")
    cases = []
    for found in CaseReader(kb).stream(file.name, file, BytesIO()):
        assert isinstance(found, Case), found
        cases.append(found)
    return cases
