"""What counts of the findings of a case, and which contradict each other: the rules of derivation, without SPARQL.

The rules are those of `shapes/derivation.ttl`, which is what decides: this module gives the same for findings of which
class, key, values and dates are already known, some hundred times faster. How each class counts is read from the
clinical vocabulary, as the rules read it. A test holds the two against each other over all sets of up to three findings
(docs: design, section 3.4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from rdflib import Literal, URIRef
from rdflib.namespace import SKOS
from rdflib.term import Node

from kb_tools.model.periods import Starts, counts_since, starts
from kb_tools.model.repository import DERIVATION, Repository
from kb_tools.rdf.namespaces import CASE, CLIN, SH

T = TypeVar("T")

# The rules that this module follows: see `digest_of_rules`. Where they change, it must change with them, and the tests
# of `tests/cases/test_standing.py` must pass again.
RULES = "a3b5f25d63d1d23119b1a2eb97bf19d095855bf570d0bc53d9e2aabb8e9eb054"
# Decimal places of the numbers that the rules compare by value.
_PLACES = 18


def digest_of_rules(kb: Repository) -> str:
    """A digest of the rules of derivation, however they are broken into lines."""
    graph = kb.graph([kb.root / DERIVATION])
    rules = sorted(
        (int(str(order)), " ".join(str(graph.value(rule, SH.construct)).split()))
        for rule, order in graph.subject_objects(SH.order)
    )
    return hashlib.sha256(repr(rules).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Flags:
    """How the findings of a class count, as the clinical vocabulary says.

    Attributes:
        counted_by: the properties of which a finding that could count states one.
        differs_by: the properties in whose values two findings can differ.
        key: the property by which findings are told apart of which only the latest counts each; None for none.
        latest, of_reason, on_service_date: case:latestCounts, case:ofReasonOnly, case:onServiceDate.
        since: the classes whose findings start the periods since which those of this class count.
        starts: how findings of this class start a period; None where they start none.
    """

    iri: URIRef
    counted_by: frozenset[Node]
    differs_by: frozenset[Node]
    key: URIRef | None
    latest: bool
    of_reason: bool
    on_service_date: bool
    since: frozenset[Node]
    starts: Starts | None


class Vocabulary:
    """What the rules read of the vocabularies."""

    def __init__(self, kb: Repository) -> None:
        self._ontology = kb.ontology
        self._same: dict[Any, Any] = {}
        self._below: dict[Node, frozenset[Node]] = {}
        self._relations: dict[tuple[Node, Node], tuple[bool, bool]] = {}

    @cached_property
    def classes(self) -> Mapping[Node, Flags]:
        """The classes of findings."""
        return {class_: self._flags(class_) for class_ in set(self._ontology.subjects(CASE.latestCounts))}

    def _flags(self, class_: Node) -> Flags:
        def yes(property_: URIRef) -> bool:
            return (class_, property_, Literal(True)) in self._ontology

        assert isinstance(class_, URIRef)
        key = self._ontology.value(class_, CASE.keyProperty)
        return Flags(
            iri=class_,
            counted_by=frozenset(self._ontology.objects(class_, CASE.countedBy)),
            differs_by=frozenset(self._ontology.objects(class_, CASE.differsBy)),
            key=key if isinstance(key, URIRef) else None,
            latest=yes(CASE.latestCounts),
            of_reason=yes(CASE.ofReasonOnly),
            on_service_date=yes(CASE.onServiceDate),
            since=counts_since(self._ontology, class_),
            starts=starts(self._ontology, class_),
        )

    def same(self, value: T) -> T:
        """One object for all equal IRIs: these are compared faster."""
        return self._same.setdefault(value, value) if isinstance(value, URIRef) else value

    def below(self, concept: Node) -> frozenset[Node]:
        """A concept and all that it is broader than."""
        if concept not in self._below:
            below = self._ontology.transitive_subjects(SKOS.broader, concept)
            self._below[concept] = frozenset(node for node in below if node is not None)
        return self._below[concept]

    def under(self, concept: Node | None, other: Node | None) -> bool:
        """Whether a concept is another one or narrower."""
        return self._relation(concept, other)[0]

    def share_a_kind(self, concept: Node | None, other: Node | None) -> bool:
        """Whether there is a concept under both."""
        return self._relation(concept, other)[1]

    def _relation(self, concept: Node | None, other: Node | None) -> tuple[bool, bool]:
        if concept is None or other is None:
            return False, False
        found = self._relations.get((concept, other))
        if found is None:
            within = self.below(other)
            found = concept in within, not self.below(concept).isdisjoint(within)
            self._relations[concept, other] = found
        return found


class Finding:
    """A well-formed finding without its date, as the rules of derivation see it.

    Attributes:
        flags: how its class counts.
        countable: whether it states a value by which its class counts.
        key: the value of the key of its class; None where it states none.
        stated: what it states by the properties in whose values findings of its class differ; equal for equal numbers.
        in_doubt: whether its reader marked it so.
        disease: of a status.
        absent: of a stated absence, the class of which it says that there was none.
        starts, may_start: whether it starts a new period, and whether it does or may.
    """

    __slots__ = (
        *("flags", "on_service_date", "countable", "key", "stated", "in_doubt", "disease", "absent"),
        *("starts", "may_start"),
    )

    def __init__(self, vocabulary: Vocabulary, class_: Node, pairs: Sequence[tuple[URIRef, Node]]) -> None:
        """`pairs`: property and value of each statement about the finding."""
        same = vocabulary.same
        stated = {property_: same(value) for property_, value in pairs}
        self.flags = flags = vocabulary.classes[class_]
        self.on_service_date = flags.on_service_date
        self.countable = any(property_ in stated or property_ == CASE.date for property_ in flags.counted_by)
        self.key = stated.get(flags.key) if flags.key else None
        self.stated = frozenset(
            (same(property_), _value(same(value))) for property_, value in pairs if property_ in flags.differs_by
        )
        self.in_doubt = CASE.inDoubt in stated
        self.disease = stated.get(CLIN.disease)
        self.absent = vocabulary.classes.get(stated[CLIN.absenceOf]) if CLIN.absenceOf in stated else None
        starts = flags.starts
        does = starts.does(value for property_, value in pairs if property_ == starts.by) if starts else False
        self.starts, self.may_start = does is True, does is not False

    def with_numbers(self, numbers: Mapping[URIRef, Decimal]) -> Finding:
        """The same finding with other numbers."""
        finding = Finding.__new__(Finding)
        for name in Finding.__slots__:
            setattr(finding, name, getattr(self, name))
        finding.stated = frozenset((property_, numbers.get(property_, value)) for property_, value in self.stated)
        return finding


def _value(node: Node) -> object:
    """A value by which equal numbers are equal, however they are written.

    The rules compare numbers of up to 18 decimal places; longer ones are equal only where they are written alike.
    """
    value = node.value if isinstance(node, Literal) else None
    if isinstance(value, Decimal) and len(str(node).partition(".")[2].rstrip("0")) > _PLACES:
        return node
    return node if value is None or isinstance(value, str | bool) else value


# A statement that the rules derive: a finding stands by its position, and the case by None.
Derived: TypeAlias = tuple[int | None, URIRef, int | Node]


@dataclass(eq=False)
class Standing:
    """How the findings of a case stand, by their position.

    Attributes:
        current: those that count.
        perhaps: those that perhaps count.
        contradicted: for those that another contradicts, the others.
    """

    current: list[int]
    perhaps: list[int]
    contradicted: dict[int, list[int]]


class CaseFindings:
    """The findings of one case, on their way to how they stand.

    Args:
        service: the date of service, as YYYY-MM-DD; so are the other days.
        reason: the disease treated; None where it is not stated.
        days: the date of each finding.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        service: str,
        reason: Node | None,
        days: Sequence[str],
        findings: Sequence[Finding],
    ) -> None:
        self._vocabulary = vocabulary
        self._reason = reason
        self._days = days
        self._findings = findings
        self._by_class: dict[Flags, list[int]] = {}
        # By class, the last day on which a finding starts a period, and on which one may start one.
        self._started: dict[Node, str] = {}
        self._maybe_started: dict[Node, str] = {}
        for number, (finding, day) in enumerate(zip(findings, days, strict=True)):
            if day > service or (day == service and not finding.on_service_date):
                continue
            of_class = self._by_class.get(finding.flags)
            if of_class is None:
                self._by_class[finding.flags] = [number]
            else:
                of_class.append(number)
            if finding.may_start:
                class_ = finding.flags.iri
                if finding.starts:
                    self._started[class_] = max(day, self._started.get(class_, ""))
                self._maybe_started[class_] = max(day, self._maybe_started.get(class_, ""))

    def standing(self) -> Standing:
        """How they stand."""
        into = Standing([], [], {})
        for flags, numbers in self._by_class.items():
            countable = self._countable(flags, numbers)
            if len(countable) > 1 and flags.latest:
                self._compare(flags, countable, into)
            else:
                for number in countable:
                    (into.perhaps if self._is_doubtful(number) else into.current).append(number)
        return into

    def derived(self) -> Iterator[Derived]:
        """All that the rules derive, each statement once."""
        latest: dict[Flags, list[int]] = {}
        superseded: dict[int, list[int]] = {}
        for flags, numbers in self._by_class.items():
            countable = self._countable(flags, numbers, even_overtaken=True)
            yield from ((None, CASE.countableFinding, number) for number in countable)
            if flags.latest:
                latest[flags] = self._latest(flags, countable)
            else:
                latest[flags] = self._countable(flags, numbers)
            if flags.of_reason:
                later = {number: self._superseding(number, latest[flags]) for number in latest[flags]}
                superseded |= {number: others for number, others in later.items() if others}
            if flags.latest:
                current = [number for number in latest[flags] if number not in superseded]
                yield from self._differences(flags, countable, current)
        for number, others in superseded.items():
            yield from ((number, CASE.supersededBy, other) for other in others)
        findings, days = self._findings, self._days
        able = [number for numbers in self._by_class.values() for number in numbers]
        starting = [number for number in able if findings[number].may_start]
        for flags, numbers in latest.items():
            for number in numbers:
                yield None, CASE.latestFinding, number
                for other in starting:
                    if findings[other].flags.iri in flags.since and days[number] < days[other]:
                        yield number, CASE.mayBeBefore, other
                if flags.of_reason and self._reason is not None and not self._is_of_reason(number):
                    yield number, CASE.mayNotBeOf, self._reason
        standing = self.standing()
        yield from ((None, CASE.currentFinding, number) for number in standing.current)
        yield from ((None, CASE.perhapsFinding, number) for number in standing.perhaps)
        for number, others in standing.contradicted.items():
            yield from ((number, CASE.contradictedBy, other) for other in others)

    def _differences(self, flags: Flags, countable: list[int], current: list[int]) -> Iterator[Derived]:
        """The findings of one class from which those that nothing supersedes differ, and the doubts that these cast."""
        for number in current:
            for other in countable:
                if not self._differ(number, other, current):
                    continue
                yield number, CASE.differsFrom, other
                if self._days[number] > self._days[other]:
                    continue
                if self._may_supersede(flags, number, other):
                    yield number, CASE.mayBeSupersededBy, other
                if self._shares_doubt(flags, number, other):
                    yield number, CASE.sharesDoubtOf, other

    def _countable(self, flags: Flags, numbers: list[int], even_overtaken: bool = False) -> list[int]:
        """Those of one class that could count.

        Args:
            even_overtaken: whether the stated absences are among them that something later has overtaken.
        """
        since = self._last(self._started, flags)
        found = []
        for number in numbers:
            finding = self._findings[number]
            if (
                finding.countable
                and self._days[number] >= since
                and (not flags.of_reason or self._vocabulary.share_a_kind(finding.disease, self._reason))
                and (even_overtaken or finding.absent is None or not self._is_overtaken(number, finding.absent))
            ):
                found.append(number)
        return found

    def _is_overtaken(self, number: int, absent: Flags) -> bool:
        """Whether something of the class is dated later of which a stated absence says that there was none."""
        day = self._days[number]
        return any(self._days[other] > day for other in self._by_class.get(absent, ()))

    def _is_doubtful(self, number: int) -> bool:
        """Whether a finding is in doubt by itself, by what may start a period, or since it may not be of the reason."""
        finding = self._findings[number]
        flags = finding.flags
        return (
            finding.in_doubt
            or self._days[number] < self._last(self._maybe_started, flags)
            or (flags.of_reason and not self._is_of_reason(number))
        )

    @staticmethod
    def _last(started: Mapping[Node, str], flags: Flags) -> str:
        """The last day on which a period started since which findings of a class count; "" for none."""
        return max((started.get(class_, "") for class_ in flags.since), default="") if started else ""

    def _is_of_reason(self, number: int) -> bool:
        """Whether a status is of the disease treated, or of one under it."""
        return self._vocabulary.under(self._findings[number].disease, self._reason)

    def _latest(self, flags: Flags, countable: list[int]) -> list[int]:
        """The latest of each key, and all of which the key is not stated: of a class of which only those count."""
        findings, days = self._findings, self._days
        last: dict[Node | None, str] = {}
        for number in countable:
            key = findings[number].key
            last[key] = max(days[number], last.get(key, ""))
        return [
            number
            for number in countable
            if days[number] == last[findings[number].key] or (flags.key is not None and findings[number].key is None)
        ]

    def _compare(self, flags: Flags, countable: list[int], into: Standing) -> None:
        """Several findings of one class of which only the latest of a key counts each."""
        findings, days = self._findings, self._days
        latest = self._latest(flags, countable)
        if flags.of_reason:
            latest = [number for number in latest if not self._superseding(number, latest)]
        for number in latest:
            finding, day = findings[number], days[number]
            doubtful = self._is_doubtful(number)
            for other in countable:
                if not self._differ(number, other, latest):
                    continue
                doubtful = doubtful or self._casts_doubt(flags, number, other)
                if days[other] == day and other in latest and self._contradict(flags, finding, findings[other]):
                    into.contradicted.setdefault(number, []).append(other)
            (into.perhaps if doubtful else into.current).append(number)

    def _differ(self, number: int, other: int, latest: list[int]) -> bool:
        """Whether one of two findings of a class states what the other does not, and the other can matter to it."""
        stated, stated_too = self._findings[number].stated, self._findings[other].stated
        if not (stated and stated_too) or stated == stated_too:
            return False
        return self._days[other] >= self._days[number] or other in latest

    def _superseding(self, number: int, latest: list[int]) -> list[int]:
        """The later statuses that supersede one: of a group that holds its disease, or of the reason."""
        under, reason, disease = self._vocabulary.under, self._reason, self._findings[number].disease
        found = []
        for other in latest:
            later = self._findings[other].disease
            if self._days[other] <= self._days[number] or later == disease:
                continue
            if (later == reason and not under(disease, reason)) or (under(disease, later) and under(later, reason)):
                found.append(other)
        return found

    def _casts_doubt(self, flags: Flags, number: int, other: int) -> bool:
        """Whether a finding may be superseded by another that differs from it, or shares its doubt."""
        return self._days[number] <= self._days[other] and (
            self._may_supersede(flags, number, other) or self._shares_doubt(flags, number, other)
        )

    def _may_supersede(self, flags: Flags, number: int, other: int) -> bool:
        """Whether a finding may be superseded by another that differs from it and is not older."""
        finding, second = self._findings[number], self._findings[other]
        if flags.key is not None and (finding.key is None or second.key is None):
            return True
        if not flags.of_reason or not self._is_of_reason(number):
            return False
        if not self._is_of_reason(other):
            return True
        later_of_kin = self._days[number] < self._days[other] and second.disease != finding.disease
        return later_of_kin and self._vocabulary.share_a_kind(finding.disease, second.disease)

    def _shares_doubt(self, flags: Flags, number: int, other: int) -> bool:
        """Whether another that differs from a finding is of its key and day, and stated to be in doubt."""
        finding, second = self._findings[number], self._findings[other]
        if not second.in_doubt or self._days[number] != self._days[other]:
            return False
        return flags.key is None or (finding.key is not None and finding.key == second.key)

    def _contradict(self, flags: Flags, one: Finding, other: Finding) -> bool:
        """Whether two findings of one day that differ contradict each other."""
        if flags.key is None or (one.key is not None and one.key == other.key):
            return True
        return self._vocabulary.share_a_kind(one.disease, other.disease)
