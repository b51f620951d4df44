"""Cases with slips: what a sender gets wrong, on top of well-formed cases, the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from random import Random
from typing import TypeAlias

from rdflib import Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.case import Case
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import without_remarks

Statement: TypeAlias = tuple[URIRef, URIRef, Node]
# What one statement becomes.
Slip: TypeAlias = Callable[[Statement], list[Statement]]


def _given(value: Node) -> Slip:
    return lambda statement: [(statement[0], statement[1], value)]


def _besides(predicate: URIRef, value: Node) -> Slip:
    return lambda statement: [statement, (statement[0], predicate, value)]


def _literal(text: str, datatype: URIRef = XSD.date) -> Literal:
    with without_remarks():
        return Literal(text, datatype=datatype, normalize=False)


SLIPS: dict[str, Slip] = {
    "a statement is left out": lambda statement: [],
    "a property is misspelt": lambda statement: [(statement[0], URIRef(f"{statement[1]}s"), statement[2])],
    "a value is a text": _given(Literal("soon")),
    "a value is a text in a language": _given(Literal("bald", lang="de")),
    "a value is a day with a time zone": _given(_literal("2026-06-05Z")),
    "a value is a day that is none": _given(_literal("2026-02-30")),
    "a value is a word for a day": _given(_literal("soon")),
    "a value is a number out of range": _given(_literal("101", XSD.integer)),
    "a value is a number below zero": _given(_literal("-0.5", XSD.decimal)),
    "a value is a number with zeros before it": _given(_literal("007", XSD.integer)),
    "a value is a number without a datatype of its own": _given(_literal("1e2", XSD.double)),
    "a value is no number": _given(_literal("much", XSD.decimal)),
    "a value is a truth value written as a number": _given(_literal("1", XSD.boolean)),
    "a value is of another class": _given(CLIN.TreatRelapse),
    "a value is a class": _given(CLIN.Transplant),
    "a value is nowhere described": _given(URIRef("urn:x:nothing")),
    "a second day is stated": _besides(CASE.date, _literal("2026-05-05")),
    "a second class is stated": _besides(RDF.type, CLIN.MRDTest),
    "a class that is none is stated": _besides(RDF.type, URIRef("urn:x:Nothing")),
    "an empty doubt is stated": _besides(CASE.inDoubt, Literal("")),
    "a bound beside another is stated": _besides(CLIN.donorPercentAtMost, _literal("10.0", XSD.decimal)),
    "a bound below another is stated": _besides(CLIN.donorPercentBelow, _literal("0", XSD.integer)),
}


def with_slips(cases: Iterable[Case], seed: int = 5, share: float = 0.05) -> Iterator[Case]:
    """Give the cases, a share of them with one to three slips.

    Args:
        share: how many, from 0 to 1.
    """
    chance = Random(seed)
    for case in cases:
        yield _with_slips(case, chance) if chance.random() < share else case


def _with_slips(case: Case, chance: Random) -> Case:
    about = {subject: list(said) for subject, said in case.about.items()}
    for _ in range(chance.randint(1, 3)):
        stated = sorted((subject, *pair) for subject, said in about.items() for pair in said)
        statement = chance.choice(stated)
        slip = SLIPS[chance.choice(sorted(SLIPS))]
        about[statement[0]].remove(statement[1:])
        for subject, predicate, value in slip(statement):
            about[subject].append((predicate, value))
    return replace(case, about=about)
