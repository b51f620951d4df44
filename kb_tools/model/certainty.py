"""The two forms of a condition's shapes: what conforms whichever doubtful findings count, and what conforms if some do.

A case has findings that count (case:currentFinding) and findings that perhaps count (case:perhapsFinding). The shapes
of conditions are written against the former alone, in one of two ways: "some finding is so" (sh:qualifiedMinCount 1)
or "no finding is so" (sh:qualifiedMaxCount 0). From each shape two are made:

- it *surely* conforms if its "some" parts do on what counts, and its "none" parts on what counts or perhaps counts;
- it *perhaps* conforms if its "some" parts do on what counts or perhaps counts, and its "none" parts on what counts.

So nobody has to try every choice of doubtful findings (docs: design, section 3.4). The conformance check
`condition-form` holds every condition to these two ways, and a test tries every choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.model.logic import Value, of_evidence
from kb_tools.rdf.namespaces import CASE, SH
from kb_tools.rdf.terms import local_name

# How a shape holds another one against the same node, or a list of others.
_SHAPES = {SH.property, SH.node}
_LISTS = {SH["and"], SH["or"]}


class Form(Enum):
    """One of the two forms of a shape; the value ends the name of the shape in that form."""

    SURELY = "surely"
    PERHAPS = "perhaps"


def value_of(surely_holds: bool, surely_fails: bool, perhaps_holds: bool, perhaps_fails: bool) -> tuple[Value, Value]:
    """The value of a condition, and the value that it perhaps has.

    Args:
        surely_holds, surely_fails: whether its two shapes surely conform.
        perhaps_holds, perhaps_fails: whether they perhaps conform.

    Returns:
        First the value that the condition has whichever doubtful findings count, unknown where that depends on them.
        Then the value that it would have if all that may speak for it and against it did.
    """
    surely, perhaps = of_evidence(surely_holds, surely_fails), of_evidence(perhaps_holds, perhaps_fails)
    return (surely if surely is perhaps else Value.UNKNOWN), perhaps


def in_form(shapes: Graph, shape: Node, form: Form, target: Graph) -> URIRef:
    """Copies a shape, and all that it reaches, in one form into another graph.

    Args:
        shapes: holds the shape as written.
        shape: an IRI.
        target: gets the copy; a shape that reads no findings is copied as it is, under its own name.

    Returns:
        The name of the copy: that of the shape with "-surely" or "-perhaps", if it reads findings.
    """
    copy = _in_form(shapes, shape, form, target)
    assert isinstance(copy, URIRef), "a condition names its shapes by IRIs"
    return copy


def _in_form(shapes: Graph, shape: Node, form: Form, target: Graph) -> Node:
    def count(name: Node, counting: Node) -> None:
        for predicate, object_ in shapes.predicate_objects(counting):
            if predicate == SH.path:
                _add_path(name, _counts_more(shapes, counting) is (form is Form.PERHAPS), target)
            else:
                target.add((name, predicate, fresh_copy(object_, shapes, target)))

    return rewritten(shapes, shape, form.value, count, target)


def rewritten(shapes: Graph, shape: Node, ending: str, count: Callable[[Node, Node], None], target: Graph) -> Node:
    """Copies a shape, and all that it holds against the same node, with what counts findings written otherwise.

    Args:
        shapes: holds the shape as written.
        ending: of the names of the copies, after a hyphen.
        count: given the name of a copy and the shape that counts findings, states of the copy what that is to ask.
        target: gets the copy; a shape that reads no findings is copied as it is, under its own name.

    Returns:
        The name of the copy.
    """
    if not reads_findings(shapes, shape):
        return fresh_copy(shape, shapes, target)
    name = URIRef(f"{shape}-{ending}") if isinstance(shape, URIRef) else BNode()
    if (name, None, None) in target:
        return name
    if shapes.value(shape, SH.path) == CASE.currentFinding:
        count(name, shape)
        return name
    for predicate, object_ in shapes.predicate_objects(shape):
        if predicate in _SHAPES:
            target.add((name, predicate, rewritten(shapes, object_, ending, count, target)))
        elif predicate in _LISTS:
            parts = [rewritten(shapes, part, ending, count, target) for part in Collection(shapes, object_)]
            target.add((name, predicate, list_of(target, parts)))
        else:
            target.add((name, predicate, fresh_copy(object_, shapes, target)))
    return name


def fresh_copy(node: Node, source: Graph, target: Graph) -> Node:
    """Copies a node with all that it leads to, blank nodes under new names: no two shapes in the target share one.

    Serializers write a blank node that two shapes share once for each, and another graph is read again.
    """
    if not isinstance(node, BNode):
        copy_of(node, source, target)
        return node
    copy = BNode()
    for predicate, object_ in source.predicate_objects(node):
        target.add((copy, predicate, fresh_copy(object_, source, target)))
    return copy


def _counts_more(shapes: Graph, shape: Node) -> bool:
    """Whether a shape asks for some finding, so that it conforms the sooner the more findings count."""
    return (shape, SH.qualifiedMinCount, None) in shapes


def _add_path(shape: Node, doubtful_too: bool, target: Graph) -> None:
    if not doubtful_too:
        target.add((shape, SH.path, CASE.currentFinding))
        return
    path = BNode()
    target.add((shape, SH.path, path))
    target.add((path, SH.alternativePath, list_of(target, [CASE.currentFinding, CASE.perhapsFinding])))


def reads_findings(shapes: Graph, shape: Node) -> bool:
    """Whether a shape, or one that it holds against the same node, looks at the findings of the case."""
    if shapes.value(shape, SH.path) == CASE.currentFinding:
        return True
    if (shape, SH.path, None) in shapes:
        return False
    below = [inner for predicate in _SHAPES for inner in shapes.objects(shape, predicate)]
    below += [
        inner for predicate in _LISTS for head in shapes.objects(shape, predicate) for inner in Collection(shapes, head)
    ]
    return any(reads_findings(shapes, inner) for inner in below)


def counted_shapes(shapes: Graph, shape: Node) -> list[Node]:
    """The shapes by which a shape counts findings: on which of them a finding conforms to, all that it says rests."""
    if (shape, SH.path, None) in shapes:
        counted = shapes.objects(shape, SH.qualifiedValueShape)
        return list(counted) if shapes.value(shape, SH.path) == CASE.currentFinding else []
    below = [part for predicate in _SHAPES for part in shapes.objects(shape, predicate)]
    below += [
        part for predicate in _LISTS for head in shapes.objects(shape, predicate) for part in Collection(shapes, head)
    ]
    return [counted for part in below for counted in counted_shapes(shapes, part)]


def faults_of_form(shapes: Graph, shape: Node) -> list[tuple[Node, str]]:
    """Where a shape of a condition is not written in a way of which the two forms can be made.

    Returns:
        The shapes at fault, each with what is wrong.
    """
    faults: list[tuple[Node, str]] = []
    waiting, seen = [shape], {shape}
    while waiting:
        node = waiting.pop()
        path = shapes.value(node, SH.path)
        if path == CASE.currentFinding:
            some = list(shapes.objects(node, SH.qualifiedMinCount))
            none = list(shapes.objects(node, SH.qualifiedMaxCount))
            if (some, none) not in (([Literal(1)], []), ([], [Literal(0)])):
                faults.append(
                    (node, "counts findings otherwise than by sh:qualifiedMinCount 1 or sh:qualifiedMaxCount 0 alone")
                )
            continue
        if path is not None and _goes_through_findings(shapes, path):
            faults.append((node, "comes to findings by a longer path than case:currentFinding alone"))
            continue
        for predicate, object_ in shapes.predicate_objects(node):
            followed = _SHAPES | _LISTS
            parts = Collection(shapes, object_) if (object_, RDF.first, None) in shapes else [object_]
            for part in parts:
                if predicate in followed and part not in seen:
                    seen.add(part)
                    waiting.append(part)
                elif predicate not in followed and predicate != SH.path and reads_findings(shapes, part):
                    faults.append((node, f"holds sh:{local_name(predicate)} over a shape that counts findings"))
    return faults


def _goes_through_findings(shapes: Graph, path: Node) -> bool:
    """Whether a path has case:currentFinding somewhere in it."""
    parts = shapes.transitiveClosure(lambda node, graph: graph.objects(node), path)
    return any(part == CASE.currentFinding for part in parts)


def copy_of(node: Node, source: Graph, target: Graph) -> None:
    """Copy all statements about a node, and about every node that these lead to."""
    for triple in source.triples((node, None, None)):
        if triple not in target:
            target.add(triple)
            copy_of(triple[2], source, target)


def list_of(graph: Graph, items: Iterable[Node]) -> BNode:
    """Adds an RDF list of the items, and returns its head."""
    head = BNode()
    Collection(graph, head, list(items))
    return head
