"""Every case of up to three findings over small but telling sets of them, and what the knowledge base says of them.

Shared by the tests and the benchmark: the tests take all sets of a few findings and a sample of the larger ones, the
benchmark takes all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from itertools import combinations, islice, product
from random import Random
from typing import TypeAlias

import oracle
from rdflib.namespace import RDF
from rdflib.term import Node
from strategies import VOCABULARY, Finding, Picture, built

from kb_tools.cases.case import Case
from kb_tools.cases.derive import Derivation
from kb_tools.determine.evaluate import Evaluator
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Condition
from kb_tools.rdf.namespaces import CASE, COND, POL

SERVICE = date(2026, 7, 1)
# So many cases at once: one call of the engine and one run of each rule.
BATCH = 500
DOUBT = ("case:inDoubt", '"a newer result could not be read"')


@cache
def every_condition() -> tuple[Condition, ...]:
    """Every condition of the knowledge base, as the revisions whose criteria are of their own have it."""
    found: dict[str, Condition] = {}
    for identifier, name in (("CP.MP.101", "2026-02"), ("CP.MP.101", "2019-10"), ("CG-TRANS-03", "2024-10")):
        policy = VOCABULARY.policy(identifier)
        found |= Revision.load(policy, policy.entry(name)).conditions
    assert found.keys() == set(map(str, VOCABULARY.conditions.subjects(RDF.type, POL.Condition)))
    return tuple(found[iri] for iri in sorted(found))


# ---------------------------------------------------------------------- sets of findings


@dataclass(frozen=True)
class Universe:
    """Findings of which cases are made, up to three of them at a time.

    Attributes:
        base: the case that they are put into.
    """

    base: Picture
    findings: tuple[Finding, ...]

    def sets(self, size: int) -> Iterator[Picture]:
        """The case with every set of so many findings."""
        return (self.base.with_findings(*chosen) for chosen in combinations(self.findings, size))

    def up_to(self, size: int) -> Iterator[Picture]:
        """The case with every set of at most so many findings."""
        return (picture for fewer in range(size + 1) for picture in self.sets(fewer))

    def sample(self, count: int, size: int, seed: int = 11) -> Iterator[Picture]:
        """The case with sets of so many findings, drawn with the same luck in every run."""
        chance = Random(seed)
        return (self.base.with_findings(*chance.sample(self.findings, size)) for _ in range(count))


Stated: TypeAlias = tuple[tuple[str, str], ...]


def _findings(
    kind: str, statements: Iterable[Stated], before: Iterable[int], doubts: Sequence[bool] = (False,)
) -> list[Finding]:
    """A finding of a class for everything that it may say, each day before the service date, in doubt or not."""
    return [
        Finding(kind, SERVICE - timedelta(days), (*stated, DOUBT) if doubt else stated)
        for stated, days, doubt in product(statements, before, doubts)
    ]


def _of(property_: str, *values: str | None) -> list[Stated]:
    return [() if value is None else ((property_, value),) for value in values]


def _each(*parts: Iterable[Stated]) -> list[Stated]:
    """Everything that findings may say which say one thing of each part."""
    return [tuple(pair for stated in chosen for pair in stated) for chosen in product(*parts)]


EITHER = (False, True)
AML = Picture(SERVICE, reason="clin:AcuteMyeloidLeukemia")
LYMPHOID = Picture(SERVICE, reason="clin:LymphoidLeukemia")
METHODS = _of("clin:method", None, "clin:FlowCytometry", "clin:PolymeraseChainReaction")
LINEAGES = _of("clin:lineage", None, "clin:TCells", "clin:WholeBlood")
RESULTS = _of("clin:mrdResult", "clin:MRDDetected", "clin:MRDNotDetected")
# The reason, a kind of it, a group over it, a group with kinds in common with it, and a sibling with none.
DISEASES = _of(
    "clin:disease",
    *(
        "clin:LymphoidLeukemia",
        "clin:HairyCellLeukemia",
        "clin:Leukemia",
        "clin:ChronicLeukemia",
        "clin:MyeloidLeukemia",
    ),
)
# A reason that is a group, two groups under it with kinds in common, and a kind of both.
GROUPS = _of("clin:disease", "clin:Leukemia", "clin:LymphoidLeukemia", "clin:AcuteLeukemia", "clin:BurkittTypeLeukemia")
STATUSES = ("clin:Relapsed", "clin:CompleteRemission", "clin:InRemission")
MORE_STATUSES = (*STATUSES, "clin:Refractory", "clin:Progressing", "clin:PartialRemission", "clin:Active", None)
SHARES: list[Stated] = [
    (("clin:donorPercent", "85"),),
    (("clin:donorPercent", "95.0"),),
    (("clin:donorPercent", "100"),),
    (("clin:donorPercentAtLeast", "85"),),
]
MORE_SHARES: list[Stated] = [
    *SHARES,
    (("clin:donorPercentBelow", "90"),),
    (("clin:donorPercentAtLeast", "90"), ("clin:donorPercentAtMost", "95")),
    (),
]
GRADES: list[Stated] = [
    *((("clin:grade", grade),) for grade in ("1", "2")),
    (("clin:gradeAtLeast", "1"),),
    (("clin:gradeAtMost", "1"),),
]
MORE_GRADES: list[Stated] = [
    *GRADES,
    (("clin:grade", "3"),),
    (("clin:gradeAtLeast", "2"),),
    (("clin:gradeAtMost", "3"),),
    (),
]
SOURCES = _of("clin:graftSource", None, "clin:CordBlood", "clin:Autologous", "clin:Syngeneic")
NO_TRANSPLANT = _of("clin:absenceOf", "clin:Transplant")
NO_INFUSION = _of("clin:absenceOf", "clin:EarlierInfusion")
RESPONSES = _of("clin:response", None, "clin:PositiveResponse", "clin:NoResponse")
STATUS, MRD, CHIMERISM = "clin:DiseaseStatusAssessment", "clin:MRDTest", "clin:ChimerismTest"
ACUTE, CHRONIC, RISK = "clin:AcuteGvHDAssessment", "clin:ChronicGvHDAssessment", "clin:RelapseRiskAssessment"
TRANSPLANT, INFUSION, ABSENCE = "clin:Transplant", "clin:EarlierInfusion", "clin:StatedAbsence"


def _status(disease: str, status: str) -> Stated:
    return (("clin:disease", disease), ("clin:diseaseStatus", status))


_LATER_THAN_SOME = [
    *_findings(STATUS, [_status("clin:AcuteMyeloidLeukemia", status) for status in STATUSES[:2]], (30, 10)),
    *_findings(MRD, _each(METHODS[1:2], RESULTS), (30,)),
    *_findings(ACUTE, GRADES[:1], (30,)),
    *_findings(RISK, _of("clin:relapseRisk", "clin:RaisedRelapseRisk"), (30,)),
]

# Of every class with a key: small enough to try every set of up to three.
SMALL: dict[str, Universe] = {
    "MRD": Universe(AML, tuple(_findings(MRD, _each(METHODS[:2], RESULTS), (20, 10), EITHER))),
    "chimerism": Universe(AML, tuple(_findings(CHIMERISM, _each(LINEAGES[:2], SHARES), (20, 10)))),
    "status": Universe(
        LYMPHOID, tuple(_findings(STATUS, _each(DISEASES, _of("clin:diseaseStatus", *STATUSES[:2])), (20, 10)))
    ),
    "groups": Universe(
        replace(AML, reason="clin:Leukemia"),
        tuple(_findings(STATUS, _each(GROUPS, _of("clin:diseaseStatus", *STATUSES[:2])), (20, 10))),
    ),
    "acute GvHD": Universe(AML, tuple(_findings(ACUTE, GRADES, (20, 10), EITHER))),
    "risk": Universe(
        AML,
        tuple(
            _findings(
                RISK, _of("clin:relapseRisk", "clin:RaisedRelapseRisk", "clin:RelapseRiskNotRaised"), (20, 10), EITHER
            )
        ),
    ),
    "chronic GvHD": Universe(
        AML,
        tuple(
            _findings(
                CHRONIC, _of("clin:chronicSeverity", "clin:MildChronicGvHD", "clin:NoChronicGvHD"), (20, 10), EITHER
            )
        ),
    ),
    "transplant": Universe(
        AML,
        (
            *_findings(TRANSPLANT, SOURCES, (40, 20)),
            *_findings(ABSENCE, NO_TRANSPLANT, (20, 10), EITHER),
            *_LATER_THAN_SOME,
        ),
    ),
    "infusion": Universe(
        AML, (*_findings(INFUSION, RESPONSES, (20, 10, 0)), *_findings(ABSENCE, NO_INFUSION, (20, 10, 0), EITHER))
    ),
}
# The same with all that may be told apart: too many sets to try them all in a test.
LARGE: dict[str, Universe] = {
    "MRD": Universe(AML, tuple(_findings(MRD, _each(METHODS, [*RESULTS, ()]), (20, 10), EITHER))),
    "chimerism": Universe(AML, tuple(_findings(CHIMERISM, _each(LINEAGES, MORE_SHARES), (20, 10), EITHER))),
    "status": Universe(
        LYMPHOID, tuple(_findings(STATUS, _each(DISEASES, _of("clin:diseaseStatus", *STATUSES)), (20, 10), EITHER))
    ),
    "statuses": Universe(
        LYMPHOID,
        tuple(_findings(STATUS, _each(DISEASES, _of("clin:diseaseStatus", *MORE_STATUSES)), (30, 20, 10), EITHER)),
    ),
    "acute GvHD": Universe(AML, tuple(_findings(ACUTE, MORE_GRADES, (20, 10, -1), EITHER))),
    "transplant": Universe(
        AML,
        (
            *_findings(
                TRANSPLANT,
                _of("clin:graftSource", None, "clin:CordBlood", "clin:Autologous", "clin:Syngeneic"),
                (40, 20, 0),
            ),
            *_findings(ABSENCE, NO_TRANSPLANT, (40, 20, 10), EITHER),
            *_LATER_THAN_SOME,
            *_findings(STATUS, [_status("clin:Leukemia", status) for status in STATUSES[:2]], (30, 10)),
            *_findings(MRD, _each(METHODS[:2], RESULTS), (20,), EITHER),
            *_findings(CHIMERISM, _each(LINEAGES[:2], SHARES[:2]), (30,)),
            *_findings(CHRONIC, _of("clin:chronicSeverity", "clin:MildChronicGvHD"), (30,)),
        ),
    ),
}


# ---------------------------------------------------------------------- what the knowledge base says of them


# How each finding stands that counts or perhaps counts; which are linked; the value of each condition.
Comparable: TypeAlias = tuple[dict[str, str], frozenset[tuple[str, str]], oracle.Both]


class Implementation:
    """What the rules derive of cases, and what the shapes make of them, in the words of the oracle."""

    def __init__(self, engine: str) -> None:
        self._derivation = Derivation(VOCABULARY)
        self._evaluator = Evaluator(VOCABULARY, every_condition(), engine)

    def of(self, pictures: Sequence[Picture]) -> list[Comparable]:
        """How the findings of each case stand, which are linked, and the value of each condition."""
        cases = self._derivation.of(built(pictures))
        values = self._evaluator.evaluate(cases)
        return [
            (
                {
                    name(node): oracle.COUNTS if counting == CASE.currentFinding else oracle.PERHAPS
                    for counting in (CASE.currentFinding, CASE.perhapsFinding)
                    for node in case.values(case.node, counting)
                },
                frozenset(_links(case)),
                {
                    iri.removeprefix(COND): (value.value.value, value.perhaps.value)
                    for iri, value in by_condition.items()
                },
            )
            for case, by_condition in zip(cases, values, strict=True)
        ]


def name(node: Node) -> str:
    """The name of a node of a case that was built: "finding0", …"""
    return str(node).rpartition(":")[2]


def _links(case: Case) -> Iterator[tuple[str, str]]:
    for node in case.values(case.node, CASE.finding):
        yield from ((name(node), name(other)) for other in case.values(node, CASE.contradictedBy))


def designed(picture: Picture) -> Comparable:
    """The same, by the oracle."""
    how = oracle.standing(picture)
    return (
        {f"finding{place}": standing for place, standing in enumerate(how.of) if standing != oracle.NOT},
        frozenset((f"finding{one}", f"finding{two}") for one, two in how.links),
        oracle.values(picture),
    )


def in_batches(pictures: Iterable[Picture], size: int = BATCH) -> Iterator[list[Picture]]:
    """The cases, so many at a time."""
    waiting = iter(pictures)
    while batch := list(islice(waiting, size)):
        yield batch


def disagreements(
    pictures: Iterable[Picture], implementation: Implementation
) -> Iterator[tuple[Picture, Comparable, Comparable]]:
    """The cases of which implementation and oracle say different things, with what each says."""
    for batch in in_batches(pictures):
        for picture, found in zip(batch, implementation.of(batch), strict=True):
            wanted = designed(picture)
            if found != wanted:
                yield picture, found, wanted
