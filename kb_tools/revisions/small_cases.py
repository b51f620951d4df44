"""Every small case that a group of conditions can distinguish, made from what their shapes name.

The source is the knowledge base's design, section 3.2. A small case says nothing but what the group reads:

- of a number, a value at each limit and on each side of it, stated exactly, at least, at most and below;
- of a concept, every member of each list and group that is named, and one concept outside;
- of the age of a finding, every one that the calendar has on each side of each limit that is named;
- findings, each alone or contradicted by another, in any number; stated absences; and nothing at all.

No small case says what no case can (section 3.4): of what counts by its latest, all findings that count are of one age,
for each value of the key that they state; and no absence that counts is older than a finding of what was absent.

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
from typing import NamedTuple, TypeAlias

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
# How many of the findings each shape of one finding counts.
Counts: TypeAlias = tuple[int, ...]
# The way from the case to the node that states something, the property, the value.
Stated: TypeAlias = tuple[tuple[URIRef, ...], URIRef, Node]

# What no shape names, where a value is no concept.
_OUTSIDE = URIRef("urn:kb:outside")
# The class of the statement that there was none of something.
_ABSENCE = (RDF.type, CLIN.StatedAbsence)


class _Standing(NamedTuple):
    """How a unit counts, and how old it is: its place among the ages of one case, the newest first."""

    counts: Counts
    age: int


@dataclass(frozen=True)
class SmallCase:
    """A case that says nothing but what a group of conditions reads.

    Attributes:
        units: its findings, each alone, or two that contradict each other.
        stated: what it says apart from findings.
    """

    units: tuple[Unit, ...]
    stated: tuple[Stated, ...]

    @property
    def ages(self) -> set[Content]:
        """What its findings state of their age."""
        return {age_of(content) for unit in self.units for content in unit}

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
        self._nothing = (0,) * len(walk.counted)
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
        units: list[Unit] = [unit for alike in singles for unit in _one_of_each_age(alike).values()]
        latest_counts = self._flag(class_, CASE.latestCounts)
        if self._sees_contradictions and latest_counts:
            units += [(one, two) for (one,), (two,) in combinations(units, 2) if age_of(one) == age_of(two)]
            # Two that look alike here can differ.
            for (first,), *others in singles:
                units += [(first, other) for (other,) in others if age_of(other) == age_of(first)][:1]
        if class_ in self.walk.named.get(CLIN.absenceOf, ()):
            absent = ((CLIN.absenceOf, class_),)
            units += [((_ABSENCE, *absent, *age),) for age in dict.fromkeys(chain.from_iterable(self._calendars))]
        counted = lens.distinguished(units, lambda graph: self.walk.counted)
        aged = {counts: _one_of_each_age(alike) for counts, alike in counted.items()}
        told: dict[Counts, tuple[Unit, ...]] = {self._nothing: ()}
        for calendar in self._calendars:
            standing = {
                _Standing(counts, place): of_age[age]
                for place, age in enumerate(calendar)
                for counts, of_age in aged.items()
                if age in of_age
            }
            told |= {
                counts: chosen
                for counts, chosen in self._beside_each_other(class_, standing).items()
                if counts not in told
            }
        silent = counted.get(self._nothing)
        return [*told.values(), *([(silent[0],)] if silent else [])]

    def _beside_each_other(self, class_: URIRef, units: Mapping[_Standing, Unit]) -> dict[Counts, tuple[Unit, ...]]:
        """The units that findings of one case can be, the fewest for each of the counts that they come to together."""
        absences = {standing: unit for standing, unit in units.items() if unit[0][0] == _ABSENCE}
        findings = {standing: unit for standing, unit in units.items() if standing not in absences}
        told: dict[Counts, tuple[Unit, ...]] = {}
        # No finding is newer than this age, and no absence older.
        for age in sorted({standing.age for standing in units}) if absences else [0]:
            lots = self._lots(class_, {one: unit for one, unit in findings.items() if one.age >= age})
            # Of those that are counted alike the newest, which is the last to be put in.
            newer = [(one.counts, unit) for one, unit in absences.items() if one.age <= age]
            lots.append(self._sums(dict(reversed(newer))))
            found = lots[0]
            for lot in lots[1:]:
                pairs = product(found.items(), lot.items())
                found = {self._total(one, other): (*these, *those) for (one, these), (other, those) in pairs}
            told |= {counts: chosen for counts, chosen in found.items() if counts not in told}
        return told

    def _lots(self, class_: URIRef, findings: Mapping[_Standing, Unit]) -> list[dict[Counts, tuple[Unit, ...]]]:
        """What findings of one case can come to, in lots of which each is free of the others.

        Of what counts by its latest, and states one value of its key or has none, all that counts is of one age.
        """
        key = self.ontology.value(class_, CASE.keyProperty)
        keyed = key is not None or self._flag(class_, CASE.ofReasonOnly)
        latest_counts = self._flag(class_, CASE.latestCounts)
        lots: dict[Node | None, dict[int, dict[Counts, Unit]]] = {None: {}}
        for standing, unit in findings.items():
            stated = dict(unit[0]).get(key) if isinstance(key, URIRef) and latest_counts else None
            one_age = stated is not None or (latest_counts and not keyed)
            of_age = lots.setdefault(stated, {}).setdefault(standing.age if one_age else 0, {})
            of_age.setdefault(standing.counts, unit)
        found = []
        for of_one_age in lots.values():
            lot: dict[Counts, tuple[Unit, ...]] = {self._nothing: ()}
            for choices in of_one_age.values():
                if self._sees_contradictions and latest_counts and not keyed:
                    # Two that count are of one day, and contradict each other or say the same.
                    lot |= {counts: (unit,) for counts, unit in choices.items() if counts not in lot}
                else:
                    lot |= {counts: chosen for counts, chosen in self._sums(choices).items() if counts not in lot}
            found.append(lot)
        return found

    def _sums(self, units: Mapping[Counts, Unit]) -> dict[Counts, tuple[Unit, ...]]:
        """Choices of units, the fewest for each of the counts that choices can come to."""
        found: dict[Counts, tuple[Unit, ...]] = {self._nothing: ()}
        waiting = [self._nothing]
        for counts in waiting:
            for more, unit in units.items():
                total = self._total(counts, more)
                if total not in found:
                    found[total] = (*found[counts], unit)
                    waiting.append(total)
        return found

    def _total(self, one: Counts, other: Counts) -> Counts:
        """Two counts together, as far as the shapes can tell."""
        return tuple(min(here + there, self.walk.most) for here, there in zip(one, other, strict=True))

    def _single(self, class_: URIRef) -> list[Content]:
        """The findings of a class by all that the shapes name of it; each states something by which it counts."""
        named, limits = self.walk.named, self.walk.limits
        mine = {property_ for property_ in (*named, *limits) if self.ontology.value(property_, RDFS.domain) == class_}
        families = {self._family(property_)["exact"]: property_ for property_ in sorted(mine) if limits.get(property_)}
        measured = {property_ for exact in families for property_ in self._family(exact).values()}
        choices: list[list[Content]] = [self._measures(exact) for exact in families]
        # Where the shapes look at what tells findings apart, each states it: what does not is in doubt beside others.
        key = self.ontology.value(class_, CASE.keyProperty)
        choices += [
            [*([()] if property_ != key else []), *(((property_, value),) for value in self._values(property_))]
            for property_ in sorted(mine - measured)
        ]
        choices.append(list(dict.fromkeys(chain.from_iterable(self._calendars))))
        counting = set(self.ontology.objects(class_, CASE.countedBy))
        return [
            ((RDF.type, class_), *content)
            for content in (tuple(chain.from_iterable(chosen)) for chosen in product(*choices))
            if not counting & mine or any(property_ in counting for property_, _ in content)
        ]

    @cached_property
    def _calendars(self) -> list[tuple[Content, ...]]:
        """The ages of findings that the shapes tell apart, by what one case allows; one empty where they see none."""
        return list(AgesSeen(self.walk.shapes, self.conditions).calendars()) or [((),)]

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


def _one_of_each_age(units: Iterable[Unit]) -> dict[Content, Unit]:
    """Of units that are counted alike, the first of each age."""
    found: dict[Content, Unit] = {}
    for unit in units:
        found.setdefault(age_of(unit[0]), unit)
    return found


def age_of(content: Content) -> Content:
    """What a finding states of its age."""
    return tuple(pair for pair in content if pair[0] in AGES)
