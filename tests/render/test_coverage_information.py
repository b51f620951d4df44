"""The invariants by which coverage information is tested find what breaks them."""

from __future__ import annotations

from typing import Any

import pytest
from crd_invariants import INVARIANTS, broken

from kb_tools.render.coverage_information import URL

BASIS: list[tuple[str, str, Any]] = [
    ("covered", "valueCode", "conditional"),
    ("info-needed", "valueCode", "OTH"),
    ("reason", "valueCodeableConcept", {"text": "t"}),
]


def order(*parts: tuple[str, str, Any]) -> dict[str, Any]:
    extension = {"url": URL, "extension": [{"url": name, type_: value} for name, type_, value in parts]}
    return {"resourceType": "ServiceRequest", "extension": [extension]}


def test_what_is_said_breaks_none() -> None:
    assert broken(order(*BASIS)) == []


BREAKING: dict[str, list[tuple[str, str, Any]]] = {
    "crd-ci-q1": [*BASIS, ("questionnaire", "valueCanonical", "https://w3id.org/policykb/Questionnaire/a")],
    "crd-ci-q2": [("covered", "valueCode", "not-covered"), ("pa-needed", "valueCode", "no-auth")],
    "crd-ci-q3": [("covered", "valueCode", "conditional")],
    "crd-ci-q4": [*BASIS, ("pa-needed", "valueCode", "no-auth"), ("doc-purpose", "valueCode", "withpa")],
    "crd-ci-q5": [*BASIS, ("pa-needed", "valueCode", "satisfied")],
    "crd-ci-q6": BASIS[:2],
    "crd-ci-q7": [*BASIS[:2], ("reason", "valueCodeableConcept", {"coding": [{"code": "gold-card"}]})],
    "crd-ci-q8": [("doc-purpose", "valueCode", "withpa")],
    "crd-ci-q9": [("covered", "valueCode", "indeterminate")],
}


@pytest.mark.parametrize("name", INVARIANTS)
def test_each_invariant_finds_what_breaks_it(name: str) -> None:
    assert broken(order(*BREAKING[name])) == [name]
