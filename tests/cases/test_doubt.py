"""What counts, perhaps counts and does not count, and what conditions come to then: two readings of one design.

First the rules and the shapes against the oracle, which knows the design alone, on every case of a few findings. Then
the shapes against themselves: the value in their two forms (kb_tools.model.certainty) is the one found by trying every
choice of the findings that perhaps count on cases without doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations, product

import oracle
import pytest
from installed import FAST
from rdflib import Literal, URIRef
from rdflib.namespace import RDF, SH
from rdflib.term import Node
from situations import SITUATIONS, Situation
from small_cases import LARGE, SMALL, Comparable, Implementation, disagreements, every_condition
from strategies import CONCEPTS, FINDINGS, VOCABULARY, Picture

from kb_tools.cases.case import Case
from kb_tools.determine.evaluate import Evaluator
from kb_tools.model.logic import Value
from kb_tools.model.statements import Condition
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.shacl import ENGINES

# ---------------------------------------------------------------------- against the oracle


@cache
def implementation(engine: str) -> Implementation:
    return Implementation(engine)


def differing(pictures: Iterable[Picture], engine: str = FAST) -> list[tuple[Picture, Comparable, Comparable]]:
    """Where the two readings differ, the smallest cases first."""
    return sorted(
        disagreements(pictures, implementation(engine)), key=lambda disagreement: len(disagreement[0].findings)
    )[:3]


def test_the_oracle_reads_every_condition_on_file() -> None:
    assert {condition.iri.rpartition("#")[2] for condition in every_condition()} == set(oracle.CONDITIONS)


def test_every_class_of_findings_that_can_be_in_doubt_is_tried() -> None:
    tried = {finding.kind for universe in (*SMALL.values(), *LARGE.values()) for finding in universe.findings}
    assert tried == set(FINDINGS)


@pytest.mark.parametrize("example", SITUATIONS, ids=lambda example: example.name.replace(" ", "-")[:60])
def test_the_oracle_says_of_each_situation_what_its_row_says(example: Situation) -> None:
    names = [named.name for named in example.findings]
    how = oracle.standing(example.picture)
    assert {names[place] for place in how.which(oracle.COUNTS)} == set(example.counts.split())
    assert {names[place] for place in how.which(oracle.PERHAPS)} == set(example.perhaps.split())
    assert {(names[one], names[other]) for one, other in how.links} == example.contradicted


@pytest.mark.parametrize(("name", "count"), [(name, None) for name in SMALL] + [(name, 300) for name in LARGE])
def test_rules_and_shapes_do_what_the_design_says(name: str, count: int | None) -> None:
    pictures = SMALL[name].up_to(3) if count is None else LARGE[name].sample(count, 3)
    assert differing(pictures) == []


@pytest.mark.parametrize("name", LARGE)
def test_the_reference_engine_does_so_too(name: str) -> None:
    assert differing(LARGE[name].sample(20, 3, seed=12), "pyshacl") == []


def test_every_set_of_up_to_three_findings_is_tried_and_every_standing_and_value_met() -> None:
    pictures = [picture for universe in SMALL.values() for picture in universe.up_to(3)]
    assert len(pictures) == 6252
    standings = Counter(standing for picture in pictures for standing in oracle.standing(picture).of)
    assert set(standings) == {oracle.COUNTS, oracle.PERHAPS, oracle.NOT}
    assert min(standings.values()) > 2000
    seen: dict[str, set[tuple[str, str]]] = {}
    for picture in pictures:
        for condition, values in oracle.values(picture).items():
            seen.setdefault(condition, set()).add(values)
    read_findings = {asked.iri.rpartition("#")[2]: asked for asked in every_condition() if _class_of(asked)}
    for condition in read_findings:
        settled = {(value, value) for value in ("holds", "fails", "unknown", "conflicting")}
        assert settled <= seen[condition], condition
    # That a transplant or an infusion was given is never in doubt; that there was none can be.
    in_doubt = {condition for condition in read_findings if any(one != two for one, two in seen[condition])}
    assert in_doubt == read_findings.keys() - {"benefit-of-earlier-dli-is-documented"}


def test_a_difference_between_the_two_readings_would_show() -> None:
    class Hasty(Implementation):
        """Takes what perhaps counts for what counts."""

        def of(self, pictures: Sequence[Picture]) -> list[Comparable]:
            found = super().of(pictures)
            return [(dict.fromkeys(standings, oracle.COUNTS), links, values) for standings, links, values in found]

    assert len(list(disagreements(SMALL["risk"].up_to(1), Hasty(FAST)))) == 4


# ---------------------------------------------------------------------- against every choice

# What of a finding counts: it, perhaps it; and which of the findings are linked.
Said = tuple[tuple[URIRef, Node], ...]
Stand = tuple[Said, URIRef]
COUNTING = (CASE.currentFinding, CASE.perhapsFinding)


def _class_of(condition: Condition) -> str | None:
    """The class of findings that a condition reads, as a CURIE; None where it reads none."""
    kinds = [VOCABULARY.curie(read) for read in condition.reads]
    return kinds[0] if kinds and kinds[0] in FINDINGS else None


CLASSES = sorted({kind for condition in every_condition() if (kind := _class_of(condition))})


def conditions_on(kind: str) -> list[Condition]:
    return [condition for condition in every_condition() if _class_of(condition) == kind]


def term(curie: str) -> URIRef:
    prefix, _, local = curie.partition(":")
    return URIRef(VOCABULARY.prefixes[prefix] + local)


def limits(kind: str) -> list[int]:
    """Every number that a shape of these conditions compares with, and those next to it."""
    comparing = (SH.minInclusive, SH.maxInclusive, SH.minExclusive, SH.maxExclusive)
    waiting = [
        URIRef(shape) for condition in conditions_on(kind) for shape in (condition.holds_when, condition.fails_when)
    ]
    seen: set[Node] = set(waiting)
    found: set[int] = set()
    while waiting:
        for predicate, object_ in VOCABULARY.conditions.predicate_objects(waiting.pop()):
            if predicate in comparing:
                found |= {int(str(object_)) + step for step in (-1, 0, 1)}
            elif object_ not in seen and not isinstance(object_, Literal):
                seen.add(object_)
                waiting.append(object_)  # type: ignore[arg-type]
    return sorted(found)


def sayings(kind: str) -> list[Said]:
    """All that one finding of a class can say as far as its conditions read it, and what is said of its absence."""
    found: list[Said] = [((RDF.type, term(kind)),)]
    for property_, range_ in FINDINGS[kind].items():
        if property_ == oracle.flags()[kind].key:
            continue  # What tells findings apart is for the rules to read.
        values: list[Node] = (
            [term(concept) for concept in CONCEPTS[range_]] if range_ else [Literal(n) for n in limits(kind)]
        )
        found += [((RDF.type, term(kind)), (term(property_), value)) for value in values]
    if kind in ("clin:Transplant", "clin:EarlierInfusion"):
        found += [((RDF.type, CLIN.StatedAbsence), (CLIN.absenceOf, term(kind)))]
    return found


def case_of(stands: Sequence[Stand], links: Iterable[tuple[int, int]] = (), left_out: Iterable[int] = ()) -> Case:
    """A case of which nothing is known but how its findings count; what is left out does not, and may be linked to."""
    root, nodes = URIRef("urn:kb:0:case"), [URIRef(f"urn:kb:0:{place}") for place in range(len(stands))]
    about: dict[URIRef, list[tuple[URIRef, Node]]] = {
        node: list(pairs) for node, (pairs, _) in zip(nodes, stands, strict=True)
    }
    for one, two in links:
        about[nodes[one]].append((CASE.contradictedBy, nodes[two]))
        about[nodes[two]].append((CASE.contradictedBy, nodes[one]))
    about[root] = [(counting, nodes[place]) for place, (_, counting) in enumerate(stands) if place not in set(left_out)]
    return Case("case", "case", "", root, about, {})


class Shapes:
    """The shapes of the conditions on one class of findings."""

    def __init__(self, kind: str, engine: str) -> None:
        self.kind = kind
        self._evaluator = Evaluator(VOCABULARY, conditions_on(kind), engine)

    def values(self, cases: Sequence[Case]) -> list[tuple[Value, ...]]:
        return [tuple(value.value for value in values.values()) for values in self._evaluator.evaluate(cases)]

    def perhaps(self, cases: Sequence[Case]) -> list[tuple[Value, ...]]:
        return [tuple(value.perhaps for value in values.values()) for values in self._evaluator.evaluate(cases)]

    def told_apart(self) -> tuple[list[Said], bool]:
        """One of all sayings that come to the same, alone or with another; and whether it matters which are linked."""
        known = sayings(self.kind)
        by_behaviour: dict[tuple[tuple[Value, ...], ...], Said] = {}
        links_matter = False
        for one in known:
            pairs = [((one, COUNTING[0]), (two, COUNTING[0])) for two in known]
            apart = self.values([case_of(pair) for pair in pairs])
            linked = self.values([case_of(pair, [(0, 1)]) for pair in pairs])
            # The other alone counts, and is linked to this one.
            links_only = self.values([case_of(pair, [(0, 1)], left_out=[0]) for pair in pairs])
            links_matter |= apart != linked
            alone = self.values([case_of([(one, COUNTING[0])])])
            by_behaviour.setdefault((*alone, *apart, *linked, *links_only), one)
        return list(by_behaviour.values()), links_matter


@cache
def told_apart(kind: str) -> tuple[list[Said], bool]:
    return Shapes(kind, FAST).told_apart()


def small_sets(kind: str, size: int) -> Iterator[tuple[tuple[Stand, ...], tuple[tuple[int, int], ...]]]:
    """Every set of up to so many findings that the shapes can tell apart, each counting or perhaps, linked or not."""
    distinct, links_matter = told_apart(kind)
    stands: list[Stand] = [*product(distinct, COUNTING)]
    for count in range(size + 1):
        pairs = list(combinations(range(count), 2)) if links_matter else []
        linkings = [chosen for some in range(len(pairs) + 1) for chosen in combinations(pairs, some)]
        for chosen in combinations(stands, count):
            yield from ((chosen, linking) for linking in linkings)


def value_of_all(values: Iterable[Value]) -> Value:
    """The value that all choices have in common, else unknown."""
    found = set(values)
    return found.pop() if len(found) == 1 else Value.UNKNOWN


def any_way(values: Iterable[Value]) -> Value:
    """The value that there would be if all that speaks for it in some choice did, and against it likewise."""
    found = set(values)
    holds = bool(found & {Value.HOLDS, Value.CONFLICTING})
    fails = bool(found & {Value.FAILS, Value.CONFLICTING})
    words = {(True, True): Value.CONFLICTING, (True, False): Value.HOLDS, (False, True): Value.FAILS}
    return words.get((holds, fails), Value.UNKNOWN)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", CLASSES)
def test_the_two_forms_of_the_shapes_give_the_value_found_by_trying_every_choice(kind: str, engine: str) -> None:
    shapes = Shapes(kind, engine)
    sets = list(small_sets(kind, 3 if engine == FAST else 2))
    doubtful = [case_of(stands, links) for stands, links in sets]
    tried = [
        [case_of(stands, links, left_out) for left_out in oracle.choices(_perhaps(stands))] for stands, links in sets
    ]
    # In these no finding is in doubt: those that perhaps count are taken to count, or are left out.
    flat = shapes.values([_settled(choice) for choices in tried for choice in choices])
    start = 0
    surely, perhaps = shapes.values(doubtful), shapes.perhaps(doubtful)
    for number, choices in enumerate(tried):
        by_condition = list(zip(*flat[start : start + len(choices)], strict=True))
        start += len(choices)
        assert surely[number] == tuple(map(value_of_all, by_condition)), sets[number]
        assert perhaps[number] == tuple(map(any_way, by_condition)), sets[number]
    if engine == FAST:
        assert len(sets) == TOLD_APART[kind][2]
    assert any(one is not two for pair in zip(surely, perhaps, strict=True) for one, two in zip(*pair, strict=True))


def _perhaps(stands: Sequence[Stand]) -> list[int]:
    return [place for place, (_, counting) in enumerate(stands) if counting == CASE.perhapsFinding]


def _settled(case: Case) -> Case:
    """The case with what perhaps counts counting."""
    case.about[case.node] = [(CASE.currentFinding, node) for _, node in case.about[case.node]]
    return case


@pytest.mark.parametrize("kind", CLASSES)
def test_shapes_tell_the_sayings_apart_that_their_conditions_name(kind: str) -> None:
    distinct, links_matter = told_apart(kind)
    assert (len(distinct), links_matter) == TOLD_APART[kind][:2]


# So many sayings of a finding are told apart, one of nothing included; whether it matters which are linked; and so many
# sets of up to three can be made of them.
TOLD_APART = {
    "clin:AcuteGvHDAssessment": (3, False, 42),
    "clin:ChimerismTest": (6, True, 1905),
    "clin:ChronicGvHDAssessment": (3, False, 42),
    "clin:DiseaseStatusAssessment": (6, True, 1905),
    "clin:EarlierInfusion": (4, False, 93),
    "clin:MRDTest": (3, True, 197),
    "clin:RelapseRiskAssessment": (3, False, 42),
    "clin:Transplant": (4, False, 93),
}
