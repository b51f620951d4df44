"""Kinds of products in comparisons and seals: what bears on what, a case that shows it, and what a seal reaches."""

from __future__ import annotations

import pytest

from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import TURTLE, parse
from kb_tools.revisions.compare import compare
from kb_tools.revisions.entailments import conditions_of, groups_of, ties_of
from kb_tools.revisions.reach import reached
from kb_tools.revisions.seal import differing, digests

HOLDS, FAILS = Value.HOLDS, Value.FAILS
OWN = "https://w3id.org/policykb/PR.8/condition#"


def test_what_a_lower_limit_of_a_dose_entails_is_derived(with_pr8: Repository) -> None:
    mine = [one for one in conditions_of(with_pr8) if one.iri.startswith(OWN)]
    ties = {
        (tie.one.removeprefix(OWN), tie.value, tie.other.removeprefix(OWN), tie.then)
        for tie in ties_of(groups_of(with_pr8, mine, "pyshifty"))
    }
    low, high = "dose-of-200-mg-or-less", "dose-of-300-mg-or-less"
    inside, outside = "site-is-inpatient-hospital", "site-is-outpatient-hospital"
    assert ties == {
        (low, HOLDS, high, HOLDS),
        (high, FAILS, low, FAILS),
        (inside, HOLDS, outside, FAILS),
        (outside, HOLDS, inside, FAILS),
    }


def test_a_case_is_made_that_shows_which_revision_is_stricter(with_pr8: Repository) -> None:
    diff = compare(with_pr8.policy("PR.8"), "2024-01", "2025-01", "pyshifty")
    (witness,) = diff.verdict.witnesses
    assert (diff.verdict.direction.value, witness.before.value, witness.after.value) == (
        "stricter",
        "CriteriaMet",
        "CriteriaNotMet",
    )
    values = {iri.removeprefix(OWN): value for iri, value in witness.values.items()}
    assert (values["dose-of-300-mg-or-less"], values["dose-of-200-mg-or-less"]) == (HOLDS, FAILS)


def edited(kb: Repository, *edits: tuple[str, str, str]) -> Repository:
    """The knowledge base as if files said something else; "" stands for the end of a file."""
    for file, old, new in edits:
        path = kb.root / file
        text = path.read_text(encoding="utf-8")
        assert not old or old in text
        kb = kb.instead(path, parse((text.replace(old, new, 1) if old else text + new).encode(), TURTLE, str(path)))
    return kb


TUBE = """
prown:Tube a owl:Class ; rdfs:subClassOf case:Product .
prown:tubeLength a owl:DatatypeProperty ; rdfs:domain prown:Tube ."""
TUBE_SHAPE = """
proshape:Tube a sh:NodeShape ; sh:targetClass prown:Tube ; sh:closed true ; sh:ignoredProperties ( rdf:type ) ;
    sh:property proshape:Tube-length .
proshape:Tube-length a sh:PropertyShape ; sh:path prown:tubeLength ; sh:datatype xsd:decimal ."""
MODEL = "[ sh:path clin:deviceModel ; sh:minLength 1 ]"
ONTOLOGY, SHAPES = "policies/PR.8/ontology/pump.ttl", "policies/PR.8/shapes/products/catheter.ttl"
DEVICE, DRUG = "shapes/products/device.ttl", "shapes/products/drug.ttl"
OF_DRUG = ("shapes/products/drug.ttl", "sh:maxInclusive 1000000", "sh:maxInclusive 500000")
ON_CASES = "case-shapes-and-derivation"
# What is changed, and the layers of the seals of PR.8/2024-01 and CP.MP.101/2026-02 that it reaches.
CHANGED: dict[str, tuple[list[tuple[str, str, str]], list[str]]] = {
    "a new kind": ([(ONTOLOGY, "", TUBE), (SHAPES, "", TUBE_SHAPE)], []),
    "a new property of a kind that is read": (
        [(DEVICE, "    sh:property shape:Device-deviceType ;", f"    sh:property {MODEL} , shape:Device-deviceType ;")],
        [],
    ),
    "a limit of what is read of a kind": ([OF_DRUG], [ON_CASES]),
    "the concept over a type that a condition names": (
        [(ONTOLOGY, " ; skos:broader prown:InfusionPump .", " .")],
        ["vocabulary-facts"],
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_seal_reaches_the_kinds_that_are_read_and_no_other(with_pr8: Repository, name: str) -> None:
    edits, layers = CHANGED[name]
    kb = edited(with_pr8, *edits)
    for identifier, revision, expected in (("PR.8", "2024-01", layers), ("CP.MP.101", "2026-02", [])):
        before, after = (
            digests(reached(one, one.policy(identifier), one.policy(identifier).entry(revision)))
            for one in (with_pr8, kb)
        )
        assert differing(before, after) == expected, identifier
