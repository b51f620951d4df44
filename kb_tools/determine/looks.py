"""What is so of a finding in the eyes of conditions: findings of which the same is so can stand for each other.

The shapes of a condition count findings: some finding is so, or none is (the conformance check `condition-form`). What
is so of a finding, with those that contradict it, SHACL is asked once. Where no shape sees more than that (the check
`pieces-are-local`), the values of conditions on a finding are those on any other of which the same is so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rdflib import Graph, URIRef
from rdflib.namespace import RDF

from kb_tools.memory import Memory
from kb_tools.model.certainty import counted_shapes, fresh_copy
from kb_tools.model.concepts import concept_facts
from kb_tools.model.repository import Repository
from kb_tools.model.statements import Condition
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, SH
from kb_tools.rdf.terms import graph_of

if TYPE_CHECKING:
    from kb_tools.determine.evaluate import Content

# A finding as the shapes see it: what it states, and what those state that contradict it.
Seen: TypeAlias = "tuple[Content, tuple[Content, ...]]"
# The shapes by which the conditions of one kind count findings.
Counted: TypeAlias = tuple[URIRef, ...]
# Of each of these shapes, whether a finding conforms to it.
So: TypeAlias = tuple[bool, ...]

# Findings of which it is kept what is so, in one generation.
LOOKS = 50_000


class Looks:
    """Knows what is so of findings, and asks SHACL of those that it does not know."""

    def __init__(self, kb: Repository, engine: str) -> None:
        self._kb = kb
        self._concepts = list(concept_facts(kb.ontology))
        self._engine = engine
        self._first: Memory[tuple[Counted, So], Seen] = Memory(LOOKS)
        self._alike: Memory[tuple[Counted, Seen], Seen] = Memory(LOOKS)

    def alike(self, asked: Iterable[tuple[Counted, Seen]]) -> dict[tuple[Counted, Seen], Seen]:
        """For each finding the first that was met of which the same is so; one engine call for all that are new."""
        found: dict[tuple[Counted, Seen], Seen] = {}
        new: list[tuple[Counted, Seen]] = []
        for one in dict.fromkeys(asked):
            known = self._alike.get(one)
            if known is None:
                new.append(one)
            else:
                found[one] = known
        for one, so in self.so(new).items():
            counted, seen = one
            first = self._first.get((counted, so)) or self._first.put((counted, so), seen)
            found[one] = self._alike.put(one, first)
        return found

    def so(self, asked: Sequence[tuple[Counted, Seen]]) -> dict[tuple[Counted, Seen], So]:
        """Asks SHACL what is so of findings, all in one call of the engine.

        Args:
            asked: the shapes by which a finding is counted, and the finding; each once.
        """
        if not asked:
            return {}
        data, shapes = graph_of(self._concepts), graph_of(())
        kinds = {counted: number for number, counted in enumerate(dict.fromkeys(counted for counted, _ in asked))}
        for counted, number in kinds.items():
            for place, shape in enumerate(counted):
                wrapper = _wrapper(number, place)
                shapes.add((wrapper, RDF.type, SH.NodeShape))
                shapes.add((wrapper, SH.targetClass, _target(number)))
                shapes.add((wrapper, SH.node, fresh_copy(shape, self._kb.evaluated, shapes)))
        for position, (counted, (content, contradicting)) in enumerate(asked):
            node = URIRef(_node(position))
            data.add((node, RDF.type, _target(kinds[counted])))
            for pair in content:
                data.add((node, *pair))
            for place, other in enumerate(contradicting):
                other_node = URIRef(f"{node}:{place}")
                data.add((node, CASE.contradictedBy, other_node))
                for pair in other:
                    data.add((other_node, *pair))
        refused = {(result.focus, result.shape) for result in shacl.validate(data, shapes, self._engine)}
        return {
            one: tuple(
                (_node(position), str(_wrapper(kinds[one[0]], place))) not in refused for place in range(len(one[0]))
            )
            for position, one in enumerate(asked)
        }


def counted_by(shapes: Graph, conditions: Iterable[Condition]) -> Counted:
    """The shapes by which conditions count findings."""
    found = {
        counted: None
        for condition in conditions
        for shape in (condition.holds_when, condition.fails_when)
        for counted in counted_shapes(shapes, URIRef(shape))
    }
    return tuple(found)  # type: ignore[arg-type]


def _node(position: int) -> str:
    """The name of the node that stands for a finding."""
    return f"urn:kb:seen:{position}"


def _target(number: int) -> URIRef:
    """The class of the findings that are held against the same shapes."""
    return URIRef(f"urn:kb:seen-kind:{number}")


def _wrapper(number: int, place: int) -> URIRef:
    """The name of the shape whose results tell which findings do not conform to one by which findings are counted."""
    return URIRef(f"urn:kb:counted:{number}:{place}")
