"""FHIR R4: an OperationOutcome, which says why something was not done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def operation_outcome(issues: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """An OperationOutcome of errors.

    Args:
        issues: each a code of http://hl7.org/fhir/issue-type, and what is wrong.
    """
    listed = [{"severity": "error", "code": code, "details": {"text": text}} for code, text in issues]
    return {"resourceType": "OperationOutcome", "issue": listed}
