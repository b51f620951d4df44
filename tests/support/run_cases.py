"""Cases as JSON lines, and runs over them."""

from __future__ import annotations

import json
from pathlib import Path

import installed
from pyarrow import parquet

from kb_tools.batch.run import Plan, plan
from kb_tools.batch.store import Location
from kb_tools.batch.work import Settings
from kb_tools.model.repository import Repository

ENGINE = installed.FAST
FINDINGS: list[dict[str, object]] = [
    {"type": "Transplant", "date": "2025-01-15", "basis": "ChartEvidence", "graftSource": "CordBlood"},
    {"type": "AcuteGvHDAssessment", "date": "2026-06-15", "basis": "ChartEvidence", "grade": 0},
]
STATUS = {"type": "DiseaseStatusAssessment", "date": "2026-06-01", "basis": "ChartEvidence"}
REQUEST: dict[str, object] = {
    "service": "DonorLymphocyteInfusion",
    "serviceDate": "2026-07-01",
    "reason": "AcuteMyeloidLeukemia",
    "purposes": ["TreatRelapse"],
    "product": {"processing": ["Unmanipulated"]},
}


def case(number: int, **more: object) -> str:
    """A line with a case that meets the criteria of 2026-02, or says something else."""
    status = {**STATUS, "disease": "AcuteMyeloidLeukemia", "diseaseStatus": "Relapsed"}
    content = {
        "id": f"r{number}",
        "patient": "p",
        "lineOfBusiness": "Commercial",
        "request": REQUEST,
        "findings": [*FINDINGS, status],
        **more,
    }
    return json.dumps(content)


LINES = (
    *(case(number) for number in range(5)),
    "",
    case(5, lineOfBusiness="MedicareAdvantage"),
    case(6, findings=[]),
    case(7, lineOfBusiness="Comercial"),
    case(8, findings=[*FINDINGS, STATUS]),
    case(9, findings=[{**FINDINGS[1], "grade": 4}]),
    case(10)[:-20],
    case(11, request={**REQUEST, "serviceDate": "2012-01-01"}),
)


def planned(kb: Repository, cases: Path, folder: Location, size: int = 1500, **more: object) -> Plan:
    settings = Settings(root="", engine=ENGINE, revision="2026-02", **more)  # type: ignore[arg-type]
    return plan(kb, [cases], folder, settings, size)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def rows(folder: Path) -> list[dict[str, object]]:
    return [row for path in sorted(folder.glob("part-*.parquet")) for row in parquet.read_table(path).to_pylist()]


def ignore(number: int) -> None:
    assert number >= 0
