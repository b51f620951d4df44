"""FHIR R4 in: of which disease a status is where a code names no kind, and what that keeps from deciding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bundle_edits import added, condition
from bundles import CLINICAL, content, determined_of

from kb_tools.determine.run import Run
from kb_tools.model.repository import Repository

pytestmark = pytest.mark.usefixtures("pseudonym_key")

ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def outcome(kb: Repository, run: Run, folder: Path, reason: str, *statuses: dict[str, Any]) -> tuple[str, bool]:
    """What the bundle that meets the criteria comes to for another reason, with other statuses of disease.

    And whether a status only may be of the disease treated.
    """
    bundle = content()
    for entry in list(bundle["entry"]):
        if entry["resource"]["resourceType"] == "Condition":
            bundle["entry"].remove(entry)
    for asked in (entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Claim"):
        coding = {"system": ICD, "code": reason}
        asked["diagnosis"] = [{"sequence": 1, "diagnosisCodeableConcept": {"coding": [coding]}}]
    for status in statuses:
        added(status)(bundle)
    found = determined_of(kb, run, bundle, folder)
    facts = [fact for result in found.condition_results.values() for fact in result.facts]
    return found.outcome.value, any(doubt.rule == "mayNotBeOf" for fact in facts for doubt in fact.doubts)


def remission(code: str) -> dict[str, Any]:
    """A complete remission of a disease, older than each relapse here."""
    found = condition(code, "2026-03-01", "")
    found["code"]["coding"].append({"system": CLINICAL, "code": "CompleteRemission"})
    return found


def relapse(code: str) -> dict[str, Any]:
    return condition(code, "2026-06-01", "relapse")


MET, NEEDED = "CriteriaMet", "InformationNeeded"


@pytest.mark.parametrize(
    ("reason", "status", "expected", "doubted"),
    [
        # Another disease: no relapse of the one treated, and no doubt of its remission.
        ("C92.00", "C91.92", NEEDED, False),
        ("C91.00", "C92.92", NEEDED, False),
        ("C91.10", "C93.92", NEEDED, False),
        ("C92.00", "C95.12", NEEDED, False),
        ("C92.10", "C95.02", NEEDED, False),
        ("C82.90", "C83.90", NEEDED, False),
        ("C84.40", "C83.90", NEEDED, False),
        ("C92.00", "C88.90", NEEDED, False),
        # A group that the disease treated is in: it may be that, and may not.
        ("C92.00", "C92.92", NEEDED, True),
        ("C91.00", "C91.92", NEEDED, True),
        ("C91.10", "C95.12", NEEDED, True),
        ("C93.10", "C93.92", NEEDED, True),
        ("C83.10", "C83.90", NEEDED, True),
        # Two groups with kinds in common.
        ("C92.90", "C95.02", NEEDED, True),
        ("C85.10", "C83.90", NEEDED, True),
        ("C91.40", "C91.92", NEEDED, True),
        ("C93.00", "C93.92", NEEDED, True),
        ("C93.00", "C92.02", NEEDED, True),
        ("C83.70", "C83.90", NEEDED, True),
        ("C88.40", "C88.90", NEEDED, True),
        ("C91.50", "C84.90", NEEDED, True),
        ("C92.00", "C95.92", NEEDED, True),
        ("C82.90", "C85.90", NEEDED, True),
        # The disease treated, or a kind of it.
        ("C92.90", "C92.92", MET, False),
        ("C92.90", "C92.02", MET, False),
        ("C92.00", "C92.02", MET, False),
    ],
)
def test_of_which_disease_a_relapse_counts(
    kb: Repository, run: Run, tmp_path: Path, reason: str, status: str, expected: str, doubted: bool
) -> None:
    """A relapse of what may be the disease treated perhaps counts, and so does an older remission of that."""
    assert outcome(kb, run, tmp_path, reason, relapse(status)) == (expected, doubted)
    assert outcome(kb, run, tmp_path, reason, remission(reason), relapse(status)) == (expected, doubted)


def test_a_remission_of_a_group_keeps_an_older_relapse_from_deciding(kb: Repository, run: Run, tmp_path: Path) -> None:
    for code, expected in (("C92.91", (NEEDED, True)), ("C91.91", (MET, False))):
        gone = condition(code, "2026-06-10", "remission")
        assert outcome(kb, run, tmp_path, "C92.00", relapse("C92.02"), gone) == expected, code


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("D61.9", "CriteriaNotMet"),
        ("D57.1", "CriteriaNotMet"),
        ("D56.1", "CriteriaNotMet"),
        ("D60.9", "CriteriaNotMet"),
        ("C50.911", "CriteriaNotMet"),
        ("C64.1", "CriteriaNotMet"),
        # What may go with a malignancy, or may be one, is asked for.
        ("D61.810", NEEDED),
        ("C80.1", NEEDED),
        ("D75.81", NEEDED),
        ("D57.3", NEEDED),
    ],
)
def test_a_reason_that_is_no_hematologic_malignancy_is_not_met(
    kb: Repository, run: Run, tmp_path: Path, reason: str, expected: str
) -> None:
    assert outcome(kb, run, tmp_path, reason) == (expected, False)


def test_a_malignancy_beside_another_disease_is_not_decided(kb: Repository, run: Run, tmp_path: Path) -> None:
    """Which of the two is treated is not said."""
    assert outcome(kb, run, tmp_path, "C92.02", relapse("C92.02")) == (MET, False)
    bundle = content()
    for claim in (entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Claim"):
        claim["diagnosis"][0]["diagnosisCodeableConcept"]["coding"].append({"system": ICD, "code": "D61.9"})
    found = determined_of(kb, run, bundle, tmp_path)
    assert found.outcome.value == NEEDED
