"""A policy may have any number of conditions: two made-up revisions of 60, determined and compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache

import pyoxigraph as ox
import pytest
from comparisons import FAST, ROOT
from rdflib import Graph, Literal, URIRef

from kb_tools.cases.case import Case
from kb_tools.determine import needs
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.needs import OpenConditions
from kb_tools.determine.result import Determination, Need, Outcome
from kb_tools.errors import KbError
from kb_tools.model import logic
from kb_tools.model.history import RevisionEntry
from kb_tools.model.logic import Tree, Value
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.files import parse
from kb_tools.rdf.namespaces import BASE, COND
from kb_tools.rdf.terms import graph_of
from kb_tools.revisions.entailments import Tie
from kb_tools.revisions.space import Space
from kb_tools.revisions.verdict import Verdict, Witness, verdict_of
from kb_tools.revisions.witness import silent_case

HOLDS, FAILS, UNKNOWN = Value.HOLDS, Value.FAILS, Value.UNKNOWN
NAMES = [f"c{number:02}" for number in range(60)]
# More than the diagrams of any test here need. One bit for each assignment would be 2^60 bits.
FEW_NODES = 60_000

Part = Tree | str


@pytest.fixture(autouse=True)
def few_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logic, "NODES", FEW_NODES)


# ---------------------------------------------------------------------- the two revisions


def all_of(*parts: Part) -> Tree:
    return Tree("allOf", parts)


def any_of(*parts: Part) -> Tree:
    return Tree("anyOf", parts)


def none_of(*parts: Part) -> Tree:
    return Tree("noneOf", parts)


def alternative(first: int, second: Part) -> Tree:
    """One of six ways to meet the indication, of six conditions; `second` is what it asks for beside the first."""
    _, _, _, d, e, f = NAMES[first : first + 6]
    return all_of(NAMES[first], second, any_of(d, all_of(e, none_of(f))))


def excluded(first: int) -> Tree:
    """One of six exclusions, of three conditions."""
    a, b, c = NAMES[first : first + 3]
    return all_of(a, any_of(b, c))


ALTERNATIVES, EXCLUSIONS = range(6, 42, 6), range(42, 60, 3)
SCOPE = all_of(*NAMES[:6])
WAYS = [alternative(first, any_of(*NAMES[first + 1 : first + 3])) for first in ALTERNATIVES]
# The new revision drops the second choice within the first way to meet the indication, and the last exclusion.
OLD = (SCOPE, any_of(*WAYS), any_of(*map(excluded, EXCLUSIONS)))
NEW = (SCOPE, any_of(alternative(6, "c07"), *WAYS[1:]), any_of(*map(excluded, EXCLUSIONS[:-1])))

PREFIXES = (
    f"PREFIX pol: <{BASE}policy#> PREFIX cond: <{COND}> PREFIX : <{BASE}made/> "
    "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> PREFIX sh: <http://www.w3.org/ns/shacl#> "
)
CONDITION = """
cond:{name} a pol:Condition ; rdfs:label "{name}"@en ; pol:reads :{name} ;
    pol:holdsWhen cond:{name}-holds ; pol:failsWhen cond:{name}-fails .
cond:{name}-holds a sh:NodeShape ; sh:property [ sh:path :{name} ; sh:hasValue true ] .
cond:{name}-fails a sh:NodeShape ; sh:property [ sh:path :{name} ; sh:hasValue false ] .
"""
CONDITIONS = "".join(CONDITION.format(name=name) for name in NAMES)


def graph(text: str) -> Graph:
    return graph_of(parse((PREFIXES + text).encode(), ox.RdfFormat.TURTLE, "made"))


def written(part: Part) -> str:
    if isinstance(part, str):
        return f"cond:{part}"
    return f"[ pol:{part.operator} ( {' '.join(map(written, part.parts))} ) ]"


@cache
def knowledge_base() -> Repository:
    """The knowledge base with the 60 conditions in place of its own; each reads a property of its own."""
    kb = Repository(ROOT)
    kb.__dict__["conditions"] = graph(CONDITIONS)
    return kb


@cache
def revision_of(name: str, applies: Tree, indication: Tree, exclusion: Tree) -> Revision:
    text = f"""
        :{name} pol:appliesWhen :scope ; pol:indication :indication ; pol:exclusion :exclusion .
        :scope pol:allOf ( {written(applies)} ) .
        :indication pol:allOf ( {written(indication)} ) .
        :exclusion pol:allOf ( {written(exclusion)} ) ."""
    entry = RevisionEntry(f"{BASE}made/{name}", name, name, date(2020, 1, 1), None, {"Criteria": "DocumentOnFile"})
    return Revision(Policy(knowledge_base(), ROOT), entry, graph(CONDITIONS + text))


def old() -> Revision:
    return revision_of("2020-01", *OLD)


def new() -> Revision:
    return revision_of("2021-01", *NEW)


# ---------------------------------------------------------------------- a case determined


def case_of(values: Mapping[str, Value]) -> Case:
    """A case in which conditions have these values, and the others are unknown."""
    sides = {HOLDS: (True,), FAILS: (False,), Value.CONFLICTING: (True, False), UNKNOWN: ()}
    case = silent_case(date(2022, 1, 1))
    case.about[case.node] += [
        (URIRef(f"{BASE}made/{name}"), Literal(truth)) for name, value in values.items() for truth in sides[value]
    ]
    return case


@cache
def determiner(revision: Revision) -> Determiner:
    return Determiner(revision.policy.kb, revision, FAST)


def determined(revision: Revision, values: Mapping[str, Value]) -> Determination:
    (found,) = determiner(revision).determine([case_of(values)])
    return found


def short(need: Need | str | None) -> object:
    """A need with the names of conditions in place of their IRIs."""
    if isinstance(need, Need):
        return (need.operator, *map(short, need.parts))
    return need.removeprefix(COND) if need else None


def of(names: Iterable[str], value: Value) -> dict[str, Value]:
    return dict.fromkeys(names, value)


def test_each_revision_has_60_conditions_and_the_new_one_four_less() -> None:
    assert {iri.removeprefix(COND) for iri in old().deciding_conditions} == set(NAMES)
    assert set(NAMES) - {iri.removeprefix(COND) for iri in new().deciding_conditions} == {"c08", "c57", "c58", "c59"}


def test_of_a_case_that_says_nothing_every_condition_can_change_the_outcome() -> None:
    found = determined(old(), {})
    assert found.outcome is Outcome.NEEDED
    assert found.to_send == {COND + name for name in NAMES}
    ways = [
        ("all", a, ("any", b, c), ("any", d, ("all", e, f)))
        for a, b, c, d, e, f in (NAMES[first : first + 6] for first in ALTERNATIVES)
    ]
    exclusions = [("any", a, ("all", b, c)) for a, b, c in (NAMES[first : first + 3] for first in EXCLUSIONS)]
    assert short(found.needs) == ("all", *NAMES[:6], ("any", *ways), *exclusions)


# All of the scope but one condition; the first way to meet the indication but one choice, the others shut by their
# first condition; of the exclusions the first open, the others shut by their first condition.
PARTLY = {
    **of(NAMES[:6], HOLDS),
    "c03": UNKNOWN,
    **{"c06": HOLDS, "c07": FAILS, "c08": UNKNOWN, "c09": HOLDS},
    **of((NAMES[first] for first in ALTERNATIVES[1:]), FAILS),
    **{"c42": UNKNOWN, "c43": FAILS, "c44": Value.CONFLICTING},
    **of((NAMES[first] for first in EXCLUSIONS[1:]), FAILS),
}


def test_only_what_can_still_change_the_outcome_is_asked_for() -> None:
    found = determined(old(), PARTLY)
    assert found.outcome is Outcome.CONFLICTING
    assert found.to_send == {COND + name for name in ("c03", "c08", "c42", "c44")}
    assert short(found.needs) == ("all", "c03", "c08", ("any", "c42", "c44"))


def test_what_is_sent_in_settles_the_outcome() -> None:
    sent = PARTLY | {"c03": HOLDS, "c08": HOLDS, "c42": FAILS}
    found = determined(old(), sent)
    assert (found.outcome, found.to_send, found.needs) == (Outcome.MET, frozenset(), None)
    assert determined(old(), sent | {"c08": FAILS}).outcome is Outcome.NOT_MET
    assert determined(new(), PARTLY | {"c03": HOLDS}).outcome is Outcome.NOT_MET


# ---------------------------------------------------------------------- the two compared


def bears_out(witness: Witness) -> bool:
    """Whether the case that states what a witness does comes to what the witness says."""
    values = {iri.removeprefix(COND): value for iri, value in witness.values.items()}
    outcomes = tuple(determined(side, values).outcome for side in (old(), new()))
    return outcomes == (witness.before, witness.after)


def verdict(ties: Iterable[Tie] = ()) -> Verdict:
    return verdict_of(old(), new(), ties, bears_out)


def stated(witness: Witness | None) -> tuple[dict[str, Value], Outcome, Outcome]:
    assert witness
    values = {iri.removeprefix(COND): value for iri, value in witness.values.items()}
    return values, witness.before, witness.after


# What a way to meet the indication and an exclusion fail by, once all that does not matter is left open.
OTHER_WAYS_SHUT = of((NAMES[first + place] for first in ALTERNATIVES[1:] for place in (3, 4)), FAILS)
EXCLUSIONS_SHUT = of((NAMES[first + place] for first in EXCLUSIONS[:-1] for place in (1, 2)), FAILS)


def test_the_verdict_has_the_smallest_witness_of_each_direction() -> None:
    found = verdict()
    assert (found.words, found.unconfirmed) == ("mixed, by criteria alone", ())
    assert stated(found.stricter) == (
        of([*NAMES[:6], "c06", "c08", "c09"], HOLDS)
        | of(["c07", "c58", "c59"], FAILS)
        | OTHER_WAYS_SHUT
        | EXCLUSIONS_SHUT,
        Outcome.MET,
        Outcome.NOT_MET,
    )
    assert stated(found.looser) == (
        of([*NAMES[:6], "c06", "c07", "c09", "c57", "c58"], HOLDS) | EXCLUSIONS_SHUT,
        Outcome.NOT_MET,
        Outcome.MET,
    )


def test_ties_between_conditions_far_apart_change_the_witnesses() -> None:
    ties = [
        # Where the dropped choice holds, so does the longer way to the third part.
        Tie(COND + "c08", HOLDS, COND + "c10", HOLDS),
        # The dropped exclusion comes only by its other choice.
        Tie(COND + "c05", HOLDS, COND + "c58", FAILS),
        # Each condition of the first ways to meet the indication bears on one of the last.
        *(Tie(COND + NAMES[6 + place], FAILS, COND + NAMES[24 + place], FAILS) for place in range(18)),
    ]
    found = verdict(ties)
    assert found.words == "mixed, by criteria alone"
    assert stated(found.stricter) == (
        of([*NAMES[:6], "c06", "c08", "c10"], HOLDS)
        | of(["c07", "c11", "c58", "c59"], FAILS)
        | OTHER_WAYS_SHUT
        | EXCLUSIONS_SHUT,
        Outcome.MET,
        Outcome.NOT_MET,
    )
    assert stated(found.looser)[0] == (of([*NAMES[:6], "c06", "c07", "c09", "c57", "c59"], HOLDS) | EXCLUSIONS_SHUT)


def test_where_one_direction_is_tied_shut_the_other_is_the_verdict() -> None:
    shut = [Tie(COND + "c57", HOLDS, COND + "c58", FAILS), Tie(COND + "c57", HOLDS, COND + "c59", FAILS)]
    found = verdict(shut)
    assert (found.words, found.looser) == ("stricter, by criteria alone", None)


def test_a_revision_compared_with_its_like_is_equivalent() -> None:
    again = revision_of("2022-01", *OLD)
    assert verdict_of(old(), again, (), lambda witness: True).words == "equivalent"


def test_diagrams_have_a_few_nodes_for_each_condition() -> None:
    space = Space([old(), new()], ())
    sizes = [
        space.holds(tree).node_count()
        for side in (old(), new())
        for tree in (side.applicability_tree, side.criteria_tree)
    ]
    assert len(space.conditions) == 60
    assert all(size <= 2 * len(NAMES) for size in sizes), sizes


def test_revisions_too_entangled_to_compare_or_to_determine_under_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logic, "NODES", 50)
    with pytest.raises(KbError) as error:
        verdict()
    assert (error.value.where, error.value.what) == (
        "revisions 2020-01 and 2021-01",
        "the criteria combine their conditions in too many ways: more than 50 nodes of a decision diagram",
    )
    monkeypatch.setattr(needs, "_manager", logic.new_manager)
    with pytest.raises(KbError) as error:
        OpenConditions(old())
    assert error.value.where == "revision 2020-01"
