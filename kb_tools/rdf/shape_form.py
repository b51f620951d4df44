"""Hold a shapes graph to the form of SHACL, before any engine sees it.

No engine is a guard: each of them takes some malformed shapes without a word and then validates less than was meant,
and a misspelt parameter is to all of them a remark about the shape. What is allowed here is SHACL Core, rules that are
SPARQL queries, and prefix declarations; everything else in the namespace of SHACL is a fault.

Source: https://www.w3.org/TR/shacl/, the syntax rules of each chapter, and https://www.w3.org/TR/shacl-af/#SPARQLRule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.errors import did_you_mean
from kb_tools.rdf.namespaces import SH


@dataclass(frozen=True)
class Fault:
    """One thing in a shapes graph that is not of the form.

    Attributes:
        at: the nearest node with a name; a node without one where there is none.
        term: the term of SHACL that it is about.
        message: what is wrong and what to do, in one line.
    """

    at: Node
    term: URIRef
    message: str


# ---------------------------------------------------------------------- what a term may be given


@dataclass(frozen=True)
class Kind:
    """What a term may be given.

    Attributes:
        words: what to give it, in words.
        fits: whether a node of a graph is such a thing.
    """

    words: str
    fits: Callable[[Graph, Node], bool]


def _is_iri(graph: Graph, node: Node) -> bool:
    return isinstance(node, URIRef)


def _is_number(graph: Graph, node: Node) -> bool:
    return isinstance(node, Literal) and node.datatype == XSD.integer and re.fullmatch(r"\+?[0-9]+", node) is not None


def _is_boolean(graph: Graph, node: Node) -> bool:
    return isinstance(node, Literal) and node.datatype == XSD.boolean and str(node) in ("true", "false")


def _is_string(graph: Graph, node: Node) -> bool:
    return isinstance(node, Literal) and node.language is None and node.datatype in (None, XSD.string)


def _is_pattern(graph: Graph, node: Node) -> bool:
    try:
        return _is_string(graph, node) and re.compile(str(node)) is not None
    except re.error:
        return False


def _is_text(graph: Graph, node: Node) -> bool:
    return isinstance(node, Literal) and node.datatype in (None, XSD.string, RDF.langString)


def _is_node_kind(graph: Graph, node: Node) -> bool:
    return node in _NODE_KINDS


def _is_shape(graph: Graph, node: Node) -> bool:
    """Whether anything says of a node what a shape asks; a shape without a name may ask nothing."""
    return any(predicate in PARAMETERS for predicate in graph.predicates(node)) or (
        (node, RDF.type, SH.NodeShape) in graph or (node, RDF.type, SH.PropertyShape) in graph
    )


def _members(graph: Graph, head: Node) -> list[Node] | None:
    """The members of a list; None where it is not one that ends, each of its nodes with one first and one rest."""
    members: list[Node] = []
    seen: set[Node] = set()
    while head != RDF.nil:
        first, rest = list(graph.objects(head, RDF.first)), list(graph.objects(head, RDF.rest))
        if head in seen or len(first) != 1 or len(rest) != 1:
            return None
        seen.add(head)
        members.append(first[0])
        head = rest[0]
    return members


def _list_of(words: str, fits: Callable[[Graph, Node], bool], least: int = 0) -> Kind:
    def fit(graph: Graph, node: Node) -> bool:
        members = _members(graph, node)
        return members is not None and len(members) >= least and all(fits(graph, member) for member in members)

    return Kind(words, fit)


_NODE_KINDS = {SH.IRI, SH.BlankNode, SH.Literal, SH.BlankNodeOrIRI, SH.BlankNodeOrLiteral, SH.IRIOrLiteral}
_STEPS = {SH.alternativePath, SH.inversePath, SH.zeroOrMorePath, SH.oneOrMorePath, SH.zeroOrOnePath}

_ANYTHING = Kind("anything", lambda graph, node: True)
_IRI = Kind("an IRI", _is_iri)
_LITERAL = Kind("a literal", lambda graph, node: isinstance(node, Literal))
_NUMBER = Kind("a whole number from 0, of type xsd:integer", _is_number)
_BOOLEAN = Kind("true or false", _is_boolean)
_STRING = Kind("a string", _is_string)
_PATTERN = Kind("a regular expression", _is_pattern)
_TEXT = Kind("a text", _is_text)
_NODE_KIND = Kind("one of sh:IRI, sh:BlankNode, sh:Literal and their pairs", _is_node_kind)
_SHAPE = Kind("a shape that is described", _is_shape)
_SHAPES = _list_of("a list ( ... ) of shapes that are described", _is_shape, 1)


# ---------------------------------------------------------------------- the terms that are allowed


@dataclass(frozen=True)
class Parameter:
    """One term of SHACL with which a shape says something.

    Attributes:
        given: what it may be given.
        once: whether a shape states it once at most.
        of_values: whether only a property shape can state it.
        needs: terms of which the shape must state one beside it.
    """

    given: Kind
    once: bool = False
    of_values: bool = False
    needs: tuple[URIRef, ...] = ()


_ONE_NUMBER = Parameter(_NUMBER, once=True)
_ONE_LITERAL = Parameter(_LITERAL, once=True)
_COUNT = Parameter(_NUMBER, once=True, of_values=True)
_COUNT_OF_SHAPE = Parameter(_NUMBER, once=True, of_values=True, needs=(SH.qualifiedValueShape,))

# What a shape says, by chapter of https://www.w3.org/TR/shacl/.
PARAMETERS: dict[URIRef, Parameter] = {
    # 2.1 Shapes: targets, severity, messages, deactivation.
    SH.targetNode: Parameter(Kind("an IRI or a literal", lambda graph, node: not isinstance(node, BNode))),
    SH.targetClass: Parameter(_IRI),
    SH.targetSubjectsOf: Parameter(_IRI),
    SH.targetObjectsOf: Parameter(_IRI),
    SH.severity: Parameter(_IRI, once=True),
    SH.message: Parameter(_TEXT),
    SH.deactivated: Parameter(_BOOLEAN, once=True),
    # 2.3 Property shapes: path, and what says nothing of the data.
    SH.path: Parameter(_ANYTHING, once=True),
    SH.name: Parameter(_TEXT, of_values=True),
    SH.description: Parameter(_TEXT, of_values=True),
    SH.order: Parameter(_LITERAL, once=True),
    SH.group: Parameter(_ANYTHING, once=True, of_values=True),
    SH.defaultValue: Parameter(_ANYTHING, once=True, of_values=True),
    # 4.1 Value types.
    SH["class"]: Parameter(_IRI),
    SH.datatype: Parameter(_IRI, once=True),
    SH.nodeKind: Parameter(_NODE_KIND, once=True),
    # 4.2 Cardinality.
    SH.minCount: _COUNT,
    SH.maxCount: _COUNT,
    # 4.3 Value ranges.
    SH.minExclusive: _ONE_LITERAL,
    SH.minInclusive: _ONE_LITERAL,
    SH.maxExclusive: _ONE_LITERAL,
    SH.maxInclusive: _ONE_LITERAL,
    # 4.4 Strings.
    SH.minLength: _ONE_NUMBER,
    SH.maxLength: _ONE_NUMBER,
    SH.pattern: Parameter(_PATTERN, once=True),
    SH.flags: Parameter(_STRING, once=True, needs=(SH.pattern,)),
    SH.languageIn: Parameter(_list_of("a list ( ... ) of strings", _is_string), once=True),
    SH.uniqueLang: Parameter(_BOOLEAN, once=True, of_values=True),
    # 4.5 Pairs of properties.
    SH.equals: Parameter(_IRI),
    SH.disjoint: Parameter(_IRI),
    SH.lessThan: Parameter(_IRI, of_values=True),
    SH.lessThanOrEquals: Parameter(_IRI, of_values=True),
    # 4.6 Logic.
    SH["not"]: Parameter(_SHAPE),
    SH["and"]: Parameter(_SHAPES),
    SH["or"]: Parameter(_SHAPES),
    SH.xone: Parameter(_SHAPES),
    # 4.7 Shapes held against nodes and values.
    SH.node: Parameter(_SHAPE),
    SH.property: Parameter(_SHAPE),
    SH.qualifiedValueShape: Parameter(
        _SHAPE, once=True, of_values=True, needs=(SH.qualifiedMinCount, SH.qualifiedMaxCount)
    ),
    SH.qualifiedMinCount: _COUNT_OF_SHAPE,
    SH.qualifiedMaxCount: _COUNT_OF_SHAPE,
    SH.qualifiedValueShapesDisjoint: Parameter(_BOOLEAN, once=True, of_values=True, needs=(SH.qualifiedValueShape,)),
    # 4.8 Other.
    SH.closed: Parameter(_BOOLEAN, once=True),
    SH.ignoredProperties: Parameter(
        _list_of("a list ( ... ) of properties", _is_iri), once=True, needs=(SH.closed,)
    ),
    SH.hasValue: Parameter(_ANYTHING),
    SH["in"]: Parameter(_list_of("a list ( ... )", lambda graph, node: True), once=True),
    # Rules: https://www.w3.org/TR/shacl-af/#rules.
    SH.rule: Parameter(Kind("a sh:SPARQLRule", lambda graph, node: (node, RDF.type, SH.SPARQLRule) in graph)),
}  # fmt: skip

# What a rule says, and what a declaration of a prefix does.
_OF_RULES = {
    SH.construct: Parameter(_STRING, once=True),
    SH.prefixes: Parameter(_IRI),
    SH.order: Parameter(_LITERAL, once=True),
    SH.deactivated: Parameter(_BOOLEAN, once=True),
}
_OF_PREFIXES = {SH.declare, SH.prefix, SH.namespace}
_CLASSES = {SH.NodeShape, SH.PropertyShape, SH.SPARQLRule}
_HELD = (SH["not"], SH.node, SH.property, SH.qualifiedValueShape)
_HELD_LISTS = (SH["and"], SH["or"], SH.xone)
ALLOWED = {*PARAMETERS, *_OF_RULES, *_OF_PREFIXES, *_STEPS}


# ---------------------------------------------------------------------- the faults


def faults(graph: Graph, name: Callable[[Node], str] = lambda node: node.n3()) -> list[Fault]:
    """List what in a shapes graph is not of the form, in order.

    Args:
        graph: shapes; statements outside the namespace of SHACL are not looked at.
        name: how a message calls a node that is neither a term of SHACL nor without a name.

    Returns:
        Each fault once; none where an engine may be trusted to see all that the shapes say.
    """
    found = [*_of_terms(graph)]
    for node in set(graph.subjects()):
        if (node, RDF.type, SH.SPARQLRule) in graph:
            found += _of_rule(graph, node, name)
        elif _is_shape(graph, node) or _is_held_as_property(graph, node):
            found += _of_shape(graph, node, name)
    found += _of_paths(graph)
    return sorted(dict.fromkeys(found), key=lambda fault: (isinstance(fault.at, BNode), str(fault.at), fault.message))


def _fault(graph: Graph, node: Node, term: URIRef, message: str) -> Fault:
    """A fault at a node; of a node without a name it is told at the named shape that it stands in."""
    at, seen = node, {node}
    while isinstance(at, BNode):
        owner = min((subject for subject in graph.subjects(None, at) if subject not in seen), key=str, default=None)
        if owner is None:
            break
        seen.add(owner)
        at = owner
    return Fault(at, term, message if at == node else f"an unnamed node in it {message}")


def _of_terms(graph: Graph) -> Iterator[Fault]:
    """Terms in the namespace of SHACL that are not allowed, used as properties and as classes."""
    for subject, predicate, object_ in graph:
        for term, known in ((predicate, ALLOWED), (object_, _CLASSES)):
            if term is object_ and predicate != RDF.type:
                continue
            if isinstance(term, URIRef) and term.startswith(SH) and term not in known:
                hint = did_you_mean(term.removeprefix(SH), [allowed.removeprefix(SH) for allowed in known])
                hint = hint.replace(" mean ", " mean sh:")
                yield _fault(
                    graph, subject, term, f"uses {_short(term)}, which is not of SHACL Core; {hint or 'say it in Core'}"
                )


def _of_shape(graph: Graph, node: Node, name: Callable[[Node], str]) -> Iterator[Fault]:
    paths = len(set(graph.objects(node, SH.path)))
    is_property = (node, RDF.type, SH.PropertyShape) in graph or _is_held_as_property(graph, node)
    if is_property and not paths:
        yield _fault(graph, node, SH.path, "is a property shape without sh:path; state one")
    if paths and (node, RDF.type, SH.NodeShape) in graph:
        yield _fault(graph, node, SH.path, "is a sh:NodeShape with sh:path; make it a sh:PropertyShape")
    for subject in graph.subjects(SH.node, node):
        if paths:
            yield _fault(
                graph, subject, SH.node, "points with sh:node to a property shape; use sh:property, or a node shape"
            )
    yield from _of_parameters(graph, node, PARAMETERS, name)
    for term, parameter in PARAMETERS.items():
        if (node, term, None) not in graph:
            continue
        if parameter.of_values and not paths and not is_property:
            yield _fault(
                graph, node, term, f"states {_short(term)} without sh:path, of which it speaks; state the path"
            )
        if parameter.needs and not any((node, needed, None) in graph for needed in parameter.needs):
            wanted = " or ".join(_short(needed) for needed in parameter.needs)
            yield _fault(graph, node, term, f"states {_short(term)} without {wanted}; state {wanted}")


def _of_rule(graph: Graph, rule: Node, name: Callable[[Node], str]) -> Iterator[Fault]:
    yield from _of_parameters(graph, rule, _OF_RULES, name)
    if (rule, SH.construct, None) not in graph:
        yield _fault(graph, rule, SH.construct, "is a sh:SPARQLRule without sh:construct; state the query")


def _of_parameters(
    graph: Graph, node: Node, table: dict[URIRef, Parameter], name: Callable[[Node], str]
) -> Iterator[Fault]:
    for term, parameter in table.items():
        values = set(graph.objects(node, term))
        if parameter.once and len(values) > 1:
            yield _fault(graph, node, term, f"states {len(values)} {_short(term)}; state one")
        for value in values:
            if not parameter.given.fits(graph, value):
                given = "an unnamed node" if isinstance(value, BNode) else name(value)
                yield _fault(graph, node, term, f"gives {_short(term)} {given}; give it {parameter.given.words}")


def _is_held_as_property(graph: Graph, node: Node) -> bool:
    return (None, SH.property, node) in graph


# ---------------------------------------------------------------------- paths


def _of_paths(graph: Graph) -> Iterator[Fault]:
    for shape, path in graph.subject_objects(SH.path):
        if not _is_path(graph, path, frozenset()):
            yield _fault(
                graph,
                shape,
                SH.path,
                "states a sh:path that is none; give it a property, a list ( ... ) of two paths or more, or one of "
                "sh:alternativePath, sh:inversePath, sh:zeroOrMorePath, sh:oneOrMorePath, sh:zeroOrOnePath",
            )


def _is_path(graph: Graph, path: Node, within: frozenset[Node]) -> bool:
    """Whether a node is a path of https://www.w3.org/TR/shacl/#property-paths, and not a part of itself."""
    if isinstance(path, URIRef):
        return path != RDF.nil
    if not isinstance(path, BNode) or path in within:
        return False
    inside = within | {path}
    stated = list(graph.predicate_objects(path))
    if {predicate for predicate, _ in stated} == {RDF.first, RDF.rest}:
        return _are_paths(graph, path, inside)
    if len(stated) != 1 or stated[0][0] not in _STEPS:
        return False
    kind, inner = stated[0]
    return _are_paths(graph, inner, inside) if kind == SH.alternativePath else _is_path(graph, inner, inside)


def _are_paths(graph: Graph, head: Node, within: frozenset[Node]) -> bool:
    members = _members(graph, head)
    return members is not None and len(members) >= 2 and all(_is_path(graph, member, within) for member in members)


def _short(term: URIRef) -> str:
    return f"sh:{term.removeprefix(SH)}"
