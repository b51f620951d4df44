"""Every small case that a group of conditions can distinguish, made from what their shapes name.

The source is the knowledge base's design, section 3.2. A small case says nothing but what the group reads:

- of a number, a value at each limit and on each side of it, stated exactly, at least, at most and below;
- of a concept, every member of each list and group that is named, and one concept outside;
- of the age of a finding, every one that the calendar has on each side of each limit that is named;
- findings, each alone or contradicted by another, in any number; a stated absence; and nothing at all.

Shapes count the findings that conform to a shape of one finding. So of findings of which the same shapes count the same
number one choice stands for all, and there are few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from itertools import chain, combinations, pairwise, product
from typing import TypeAlias

from rdflib import Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools.cases.ages import AGES
from kb_tools.cases.case import Case, Statements
from kb_tools.determine.ages_seen import AgesSeen
from kb_tools.model.concepts import concept_classes
from kb_tools.model.repository import Repository
from kb_tools.model.statements import Condition
from kb_tools.rdf.namespaces import CASE, CLIN, SH
from kb_tools.revisions.lens import Lens, mentions, of_the_other
from kb_tools.revisions.shape_walk import LISTS, NESTED, ShapeWalk

# What one finding states, its class first.
Content: TypeAlias = tuple[tuple[URIRef, Node], ...]
# One finding, or two that contradict each other.
Unit: TypeAlias = tuple[Content, ...]
# The way from the case to the node that states something, the property, the value.
Stated: TypeAlias = tuple[tuple[URIRef, ...], URIRef, Node]

# What no shape names, where a value is no concept.
_OUTSIDE = URIRef("urn:kb:outside")


@dataclass(frozen=True)
class SmallCase:
    """A case that says nothing but what a group of conditions reads.

    Attributes:
        units: its findings, each alone, or two that contradict each other.
        stated: what it says apart from findings.
    """

    units: tuple[Unit, ...]
    stated: tuple[Stated, ...]

    def case(self, number: int) -> Case:
        """The case, all of its findings counting; `number` gives it nodes of its own."""
        root = URIRef(f"urn:kb:small:{number}")
        about: Statements = {root: [(RDF.type, CASE.Case)]}
        for place, unit in enumerate(self.units):
            nodes = [URIRef(f"{root}:{place}:{member}") for member in range(len(unit))]
            for node, content in zip(nodes, unit, strict=True):
                about[node] = [*content, *((CASE.contradictedBy, other) for other in nodes if other != node)]
                about[root].append((CASE.currentFinding, node))
        for path, property_, value in self.stated:
            node = root
            for step in path:
                following = URIRef(f"{node}/{step.rpartition('#')[2]}")
                if following not in about:
                    about[node].append((step, following))
                    about[following] = []
                node = following
            about[node].append((property_, value))
        return Case(source="", name="", iri="", node=root, about=about, names={})

    def words(self, kb: Repository) -> str:
        """What the case says, in a few words."""

        def short(node: Node) -> str:
            return str(node) if isinstance(node, Literal) else kb.labels.get(str(node)) or kb.curie(str(node))

        def finding(content: Content) -> str:
            (_, class_), *rest = content
            return " ".join([short(class_), *(f"{short(property_)} {short(value)}" for property_, value in rest)])

        units = (" contradicted by ".join(map(finding, unit)) for unit in self.units)
        stated = (f"{short(property_)} {short(value)}" for _, property_, value in self.stated)
        return "; ".join([*units, *stated]) or "nothing"


def small_cases(kb: Repository, group: Iterable[Condition], engine: str) -> list[SmallCase]:
    """The small cases of conditions that read the same kind of fact; none where they cannot be listed.

    Args:
        engine: one of kb_tools.rdf.shacl.ENGINES; it tells which findings the shapes tell apart.

    Raises:
        KbError: the engine is not installed, or cannot read the shapes.
    """
    listed = list(group)
    walk = ShapeWalk(kb, listed)
    if walk.boundless:
        return []
    view = _View(kb, listed, walk)
    lens = Lens(kb, engine)
    findings = [view.findings(class_, lens) for class_ in view.classes]
    stated = view.statements()
    return [
        SmallCase(tuple(chain.from_iterable(units)), tuple(chain.from_iterable(statements)))
        for units in product(*findings)
        for statements in product(*stated)
    ]


class _View:
    """What cases can say that the shapes of a group of conditions tell apart.

    Attributes:
        conditions: the group.
        classes: the classes of findings that they read.
    """

    def __init__(self, kb: Repository, group: Sequence[Condition], walk: ShapeWalk) -> None:
        self.ontology, self.walk, self.conditions = kb.ontology, walk, group
        self.case_shapes = kb.case_shapes
        reads = {iri for condition in group for iri in condition.reads}
        finding_classes = set(kb.ontology.subjects(RDFS.subClassOf, CASE.Finding))
        self.classes = sorted(class_ for class_ in map(URIRef, reads) if class_ in finding_classes)
        self._sees_contradictions = any(mentions(walk.shapes, shape) for shape in walk.counted)

    # ------------------------------------------------------------------ what a case can say

    def statements(self) -> list[list[tuple[Stated, ...]]]:
        """What a case can say of each thing that it states apart from findings: nothing, or some values."""
        found, measured = [], set[URIRef]()
        for property_, way in self.walk.ways.items():
            family = self._family(property_)
            if len(family) == 1:
                found.append(self._stated(property_))
            elif family["exact"] not in measured:
                measured.add(family["exact"])
                found.append([tuple((way, *pair) for pair in content) for content in self._measures(family["exact"])])
        return found

    def _stated(self, property_: URIRef) -> list[tuple[Stated, ...]]:
        """What a case can say by a property of the request, its products or the coverage: nothing, or some values."""
        values = self._values(property_)
        # One value for what a condition asks, one against it, and one for what another condition asks.
        most = 1 if self._limit(property_, SH.maxCount) == 1 else self.walk.most + 2
        return [
            tuple((self.walk.ways[property_], property_, value) for value in chosen)
            for size in range(most + 1)
            for chosen in combinations(values, size)
        ]

    def findings(self, class_: URIRef, lens: Lens) -> list[tuple[Unit, ...]]:
        """What a case can say by findings of a class, and by the statement that there was none.

        Of what the shapes count alike, the fewest findings.
        """
        singles = list(lens.distinguished(((finding,) for finding in self._single(class_)), self._atoms).values())
        units: list[Unit] = [alike[0] for alike in singles]
        latest_counts = self._flag(class_, CASE.latestCounts)
        if self._sees_contradictions and latest_counts:
            units += [(one, two) for (one,), (two,) in combinations(units, 2) if _age(one) == _age(two)]
            # Two that look alike here can differ.
            for (first,), *others in singles:
                units += [(first, other) for (other,) in others if _age(other) == _age(first)][:1]
        if class_ in self.walk.named.get(CLIN.absenceOf, ()):
            absent = ((RDF.type, CLIN.StatedAbsence), (CLIN.absenceOf, class_))
            units += [((*absent, *age),) for age in self._ages]
        counted = lens.distinguished(units, lambda graph: self.walk.counted)
        keyed = self._flag(class_, CASE.ofReasonOnly) or (class_, CASE.keyProperty, None) in self.ontology
        if self._sees_contradictions and latest_counts and not keyed:
            # Two that count are of one day, and contradict each other or say the same.
            return [(), *((alike[0],) for alike in counted.values())]
        if not latest_counts or keyed:
            return self._sums({counts: alike[0] for counts, alike in counted.items()})
        # All that count are of one day.
        by_day: dict[Content, dict[tuple[int, ...], Unit]] = {}
        for counts, alike in counted.items():
            for unit in alike:
                by_day.setdefault(_age(unit[0]), {}).setdefault(counts, unit)
        return list(dict.fromkeys(chain.from_iterable(map(self._sums, by_day.values()))))

    def _sums(self, units: Mapping[tuple[int, ...], Unit]) -> list[tuple[Unit, ...]]:
        """Choices of units, the smallest for each of the counts that choices can come to."""
        nothing = (0,) * len(self.walk.counted)
        found: dict[tuple[int, ...], tuple[Unit, ...]] = {nothing: ()}
        waiting = [nothing]
        for counts in waiting:
            for more, unit in units.items():
                total = tuple(min(one + two, self.walk.most) for one, two in zip(counts, more, strict=True))
                if total not in found:
                    found[total] = (*found[counts], unit)
                    waiting.append(total)
        silent = units.get(nothing)
        return [*found.values(), *([(silent,)] if silent else [])]

    def _single(self, class_: URIRef) -> list[Content]:
        """The findings of a class by all that the shapes name of it; each states something by which it counts."""
        named, limits = self.walk.named, self.walk.limits
        mine = {property_ for property_ in (*named, *limits) if self.ontology.value(property_, RDFS.domain) == class_}
        families = {self._family(property_)["exact"]: property_ for property_ in sorted(mine) if limits.get(property_)}
        measured = {property_ for exact in families for property_ in self._family(exact).values()}
        choices: list[list[Content]] = [self._measures(exact) for exact in families]
        choices += [
            [(), *(((property_, value),) for value in self._values(property_))] for property_ in sorted(mine - measured)
        ]
        choices.append(self._ages)
        counting = set(self.ontology.objects(class_, CASE.countedBy))
        return [
            ((RDF.type, class_), *content)
            for content in (tuple(chain.from_iterable(chosen)) for chosen in product(*choices))
            if not counting & mine or any(property_ in counting for property_, _ in content)
        ]

    @cached_property
    def _ages(self) -> list[Content]:
        """The ages of findings that the shapes tell apart; one empty where they look at none."""
        return AgesSeen(self.walk.shapes, self.conditions).all_ages() or [()]

    def _values(self, property_: URIRef) -> list[Node]:
        """The values of a property, as the case shapes have them: of those that look alike one."""
        if self.walk.limits.get(property_):
            return list(self._numbers(property_, self.walk.limits[property_]))
        named = self.walk.named.get(property_, set())
        class_ = self.ontology.value(property_, RDFS.range)
        if class_ in concept_classes(self.ontology):
            first: dict[object, Node] = {}
            for concept in sorted(self.ontology.subjects(RDF.type, class_), key=str):
                above = frozenset(self.ontology.transitive_objects(concept, SKOS.broader))
                first.setdefault((concept if concept in named else None, above & named), concept)
            return list(first.values())
        if any(isinstance(value, Literal) and value.datatype == XSD.boolean for value in named):
            return [Literal(True), Literal(False)]
        patterns = [
            str(pattern) for shape in self._shapes_of(property_) for pattern in self.case_shapes[shape : SH.pattern]
        ]
        stated = (value for value in named if all(re.search(pattern, str(value)) for pattern in patterns))
        return [*sorted(stated, key=str), _OUTSIDE]

    def _family(self, property_: URIRef) -> dict[str, URIRef]:
        """The properties that state one number: "exact", and the bounds that the vocabulary has for it."""
        links = {"atLeast": CASE.atLeast, "atMost": CASE.atMost, "below": CASE.below}
        owners = (self.ontology.value(None, link, property_) for link in links.values())
        exact = next((owner for owner in owners if isinstance(owner, URIRef)), property_)
        bounds = {name: self.ontology.value(exact, link) for name, link in links.items()}
        return {"exact": exact} | {name: bound for name, bound in bounds.items() if isinstance(bound, URIRef)}

    def _measures(self, exact: URIRef) -> list[Content]:
        """The ways to state a number: exactly, by one bound, by two, and not at all."""
        family = self._family(exact)
        numbers = self._numbers(
            exact, {limit for property_ in family.values() for limit in self.walk.limits.get(property_, ())}
        )
        found: list[Content] = [(), *(((property_, number),) for property_ in family.values() for number in numbers)]
        for upper, above in (("atMost", 0), ("below", 1)):
            if "atLeast" in family and upper in family:
                found += [
                    ((family["atLeast"], low), (family[upper], high))
                    for place, low in enumerate(numbers)
                    for high in numbers[place + above :]
                ]
        return found

    def _numbers(self, exact: URIRef, limits: set[Decimal]) -> list[Literal]:
        """A number at each limit and on each side of it, in the range that the case shapes give the property."""
        least, most = self._limit(exact, SH.minInclusive), self._limit(exact, SH.maxInclusive)
        is_integer = any((shape, SH.datatype, XSD.integer) in self.case_shapes for shape in self._shapes_of(exact))
        if is_integer:
            up, down = ([limit.to_integral_value(way) for limit in limits] for way in (ROUND_CEILING, ROUND_FLOOR))
            found = {*up, *down, *(number - 1 for number in up), *(number + 1 for number in down)}
        else:
            low, high = min(limits), max(limits)
            ends = sorted({low - 1 if least is None else least, *limits, high + 1 if most is None else most})
            found = {*limits, *((one + two) / 2 for one, two in pairwise(ends))}
        inside = [
            number
            for number in sorted(found)
            if (least is None or least <= number) and (most is None or number <= most)
        ]
        return [Literal(int(number)) if is_integer else Literal(number) for number in inside]

    def _shapes_of(self, property_: URIRef) -> Iterator[Node]:
        return self.case_shapes.subjects(SH.path, property_)

    def _limit(self, property_: URIRef, predicate: URIRef) -> Decimal | None:
        """What the case shapes limit a property by; None where they do not."""
        found = (self.case_shapes.value(shape, predicate) for shape in self._shapes_of(property_))
        return next((Decimal(str(bound)) for bound in found if bound is not None), None)

    def _flag(self, class_: URIRef, flag: URIRef) -> bool:
        return (class_, flag, Literal(True)) in self.ontology

    # ------------------------------------------------------------------ telling findings apart

    def _atoms(self, graph: Graph) -> Iterator[Node]:
        """Shapes of one finding, whatever it is contradicted by, on which alone the counted shapes depend.

        Args:
            graph: the shapes; what is asked of a contradicting finding is added to it as a shape of its own.
        """
        waiting = list(self.walk.counted)
        while waiting:
            shape = waiting.pop()
            if not mentions(graph, shape):
                yield shape
                continue
            for predicate, object_ in list(graph.predicate_objects(shape)):
                if predicate in LISTS:
                    waiting += Collection(graph, object_)
                elif predicate in NESTED:
                    waiting.append(object_)
            path = graph.value(shape, SH.path)
            if path is not None and (path, RDF.first, CASE.contradictedBy) in graph:
                yield of_the_other(graph, shape, path)


def _age(content: Content) -> Content:
    """What a finding states of its age."""
    return tuple(pair for pair in content if pair[0] in AGES)
