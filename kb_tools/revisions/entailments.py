"""Which conditions entail or exclude each other, derived from their shapes.

The source is the knowledge base's design, section 3.2: conditions that read the same kind of fact are evaluated on
every small case that their shapes can tell apart (kb_tools.revisions.small_cases). What they come to together on none
of these, they come to on no case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, permutations
from weakref import WeakKeyDictionary

from rdflib import URIRef
from rdflib.namespace import RDF, RDFS

from kb_tools.determine.evaluate import Evaluator
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.model.statements import Condition
from kb_tools.rdf.namespaces import POL
from kb_tools.revisions.small_cases import SmallCase, small_cases


@dataclass(frozen=True)
class Tie:
    """Whenever the value of condition `one` is `value`, that of condition `other` is `then`; both hold or fail."""

    one: str
    value: Value
    other: str
    then: Value


@dataclass(frozen=True)
class Group:
    """Conditions that read the same kind of fact, and what they come to on each small case.

    Attributes:
        conditions: their IRIs.
        kinds: the classes of findings and the properties that they read.
        cases: the small cases, each with the value of every condition; empty where they cannot be listed.
    """

    conditions: frozenset[str]
    kinds: frozenset[str]
    cases: tuple[tuple[SmallCase, dict[str, Value]], ...]

    def together(self, one: str, other: str) -> dict[tuple[Value, Value], SmallCase]:
        """The values that two of the conditions come to together, each with the first case that shows it."""
        seen: dict[tuple[Value, Value], SmallCase] = {}
        for case, values in self.cases:
            seen.setdefault((values[one], values[other]), case)
        return seen

    def combinations(self, conditions: Sequence[str]) -> list[tuple[Value, ...]]:
        """All that some of the conditions come to together, each once: their values, in the order given."""
        return list(dict.fromkeys(tuple(values[iri] for iri in conditions) for _, values in self.cases))

    @cached_property
    def ties(self) -> frozenset[Tie]:
        """Where a value of one condition leaves another one value only, and that is holds or fails."""
        found = set()
        for one, other in permutations(self.conditions, 2):
            seen = self.together(one, other)
            for value in (Value.HOLDS, Value.FAILS):
                values = {second for first, second in seen if first is value}
                if len(values) == 1 and (then := values.pop()).settled:
                    found.add(Tie(one, value, other, then))
        return frozenset(found)


# What was derived in this process, by knowledge base, then by engine and conditions.
_KNOWN: WeakKeyDictionary[Repository, dict[tuple[str, frozenset[str]], Group]] = WeakKeyDictionary()


def derive(kb: Repository, conditions: Iterable[Condition], engine: str) -> list[Group]:
    """The conditions in groups that read the same kind of fact, with what each group comes to on its small cases.

    A condition that shares a kind of fact with no other is a group by itself. Each group is derived once in a process.

    Args:
        engine: one of kb_tools.rdf.shacl.ENGINES.

    Raises:
        KbError: the engine is not installed, or cannot read the shapes.
    """
    known = _KNOWN.setdefault(kb, {})
    groups = {(engine, frozenset(condition.iri for condition in group)): group for group in _grouped(conditions)}
    new = {key: group for key, group in groups.items() if key not in known}
    cases = {key: small_cases(kb, group, engine) for key, group in new.items()}
    every = list(chain.from_iterable(cases.values()))
    # One call of the engine for all of them.
    found = iter(
        Evaluator(kb, chain.from_iterable(new.values()), engine).evaluate(
            [case.case(number) for number, case in enumerate(every)]
        )
    )
    for key, group in new.items():
        _, iris = key
        valued = tuple(
            (case, {iri: evidence.value for iri, evidence in next(found).items() if iri in iris}) for case in cases[key]
        )
        known[key] = Group(iris, frozenset().union(*(condition.reads for condition in group)), valued)
    return [known[key] for key in groups]


def groups_of(kb: Repository, conditions: Iterable[Condition], engine: str) -> list[Group]:
    """The groups of more than one of the conditions. Arguments and errors are those of `derive`."""
    shared = [group for group in _grouped(conditions) if len(group) > 1]
    return derive(kb, chain.from_iterable(shared), engine)


def ties_of(groups: Iterable[Group]) -> frozenset[Tie]:
    """Every tie between the conditions of groups."""
    return frozenset(chain.from_iterable(group.ties for group in groups))


def conditions_of(kb: Repository) -> list[Condition]:
    """Every condition of the knowledge base that has two shapes and says what it reads."""
    graph = kb.evaluated
    found = []
    for node in sorted(
        condition for condition in graph.subjects(RDF.type, POL.Condition) if isinstance(condition, URIRef)
    ):
        holds, fails = graph.value(node, POL.holdsWhen), graph.value(node, POL.failsWhen)
        reads = frozenset(str(kind) for kind in graph.objects(node, POL.reads))
        if holds and fails and reads:
            label = str(graph.value(node, RDFS.label) or "")
            found.append(Condition(str(node), label, "", (), "", reads, str(holds), str(fails), frozenset()))
    return found


def _grouped(conditions: Iterable[Condition]) -> list[Sequence[Condition]]:
    """The conditions, those together that read a kind of fact in common, by way of others too."""
    groups: list[Sequence[Condition]] = []
    for condition in sorted(conditions, key=lambda condition: condition.iri):
        touched = [group for group in groups if any(member.reads & condition.reads for member in group)]
        groups = [group for group in groups if group not in touched]
        groups.append([*chain.from_iterable(touched), condition])
    return groups
