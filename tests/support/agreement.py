"""Whether two engines give the same results, on everything that kb asks of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from rdflib import Graph, Literal
from small_cases import every_condition
from strategies import VOCABULARY

from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.prepare import prepared as prepared_graph
from kb_tools.determine.evaluate import Evaluator
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.shacl import ShaclResult
from kb_tools.rdf.terms import graph_of

_LIMITS = {
    str(SH[f"{end}{limit}ConstraintComponent"]) for end in ("Min", "Max") for limit in ("Inclusive", "Exclusive")
}
# Focus node, shape, severity, component, path, value.
Row = tuple[str, str, str, str, str, str]


def row(result: ShaclResult) -> Row:
    """What of a result must be the same; the message is the engine's own where the shape has none."""
    return (result.focus, result.shape, result.severity, result.component, result.path, result.value)


@dataclass
class Agreement:
    """What was compared.

    Attributes:
        results: how many results the reference gave.
        differing: results that one of the two gave more often than the other.
        beyond_limits: results that only the other engine gave, on literals that are no numbers and are held against a
            limit, which is one. They conform to none, but pySHACL lets some dates pass.
    """

    results: int = 0
    differing: Counter[Row] = field(default_factory=Counter)
    beyond_limits: Counter[Row] = field(default_factory=Counter)

    def compare(self, data: Graph, shapes: Graph, reference: str, other: str) -> list[ShaclResult]:
        """Hold one graph against shapes with both, and give what the reference says."""
        expected = shacl.validate(graph_of(data), graph_of(shapes), reference)
        found = shacl.validate(data, shapes, other)
        self.results += len(expected)
        one, two = Counter(map(row, expected)), Counter(map(row, found))
        no_numbers = {
            str(node)
            for node in data.objects()
            if isinstance(node, Literal) and not isinstance(node.value, int | float | Decimal)
        }
        more = two - one
        known = Counter({row: more[row] for row in more if row[3] in _LIMITS and row[5] in no_numbers})
        self.beyond_limits += known
        self.differing += (one - two) + (more - known)
        return expected


@contextmanager
def comparing(reference: str, other: str) -> Iterator[Agreement]:
    """Let every call of the door, by whatever engine, ask both."""
    agreement, door = Agreement(), shacl.validate

    def both(data: Graph, shapes: Graph, engine: str = "pyshacl", *, rules: bool = False) -> list[ShaclResult]:
        assert not rules
        shacl.validate = door
        try:
            return agreement.compare(data, shapes, reference, other)
        finally:
            shacl.validate = both

    shacl.validate = both
    try:
        yield agreement
    finally:
        shacl.validate = door


def on_case_shapes(cases: Sequence[Case], reference: str, other: str) -> tuple[Agreement, list[Case]]:
    """Compare on the case shapes, and give the cases that are well formed, prepared."""
    with comparing(reference, other) as agreement:
        checked = CaseChecker(VOCABULARY, reference).check(cases)
    return agreement, [case for case in checked if isinstance(case, Case)]


def on_conditions(prepared: Sequence[Case], reference: str, other: str) -> Agreement:
    """Compare on the shapes of every condition, for and against, in both forms, as kb asks for them."""
    with comparing(reference, other) as agreement:
        Evaluator(VOCABULARY, every_condition(), reference).evaluate(prepared)
    return agreement


def on_composed(prepared: Sequence[Case], revision: str, reference: str, other: str) -> Agreement:
    """Compare on the whole revision composed into one graph, as `kb shapes` prints it."""
    policy = VOCABULARY.policy()
    shapes = self_contained(VOCABULARY, Revision.load(policy, policy.entry(revision)))
    agreement = Agreement()
    agreement.compare(prepared_graph(VOCABULARY, prepared), shapes, reference, other)
    return agreement
