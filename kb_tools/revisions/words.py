"""What two revisions state, in the words in which it is compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rdflib import BNode, Graph, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.model.logic import Tree
from kb_tools.model.parts import operator_words
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Advisory, Criterion
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
from kb_tools.revisions.requirements import Requirement


def name_of(criterion: Criterion) -> str:
    """Its place in the document and its label."""
    return f"{criterion.notation}, {criterion.label}"


def content_of(criterion: Criterion, ordered: bool = False) -> object:
    """What a criterion decides, without names and wording: what has the same content decides alike.

    Of a criterion within it only that it stands there: what that one decides is its own content.

    Args:
        ordered: whether the order of its parts counts as well.
    """

    def content(part: Tree | str, top: bool = False) -> object:
        if not isinstance(part, Tree):
            return part
        if part.iri and not top:
            return part.iri
        parts = [content(child) for child in part.parts]
        return operator_words(part), tuple(parts if ordered else sorted(parts, key=repr))

    return criterion.role, criterion.limits, content(criterion.tree, top=True) if criterion.tree else None


def wording_of(side: Revision, criterion: Criterion) -> dict[str, str]:
    """How a criterion says what it says; its parts as a list, so that another order is seen."""
    tree = "\n".join(_tree_lines(side, criterion.tree, full=False)) if criterion.tree else ""
    return {"label": criterion.label, "": criterion.definition, "parts": tree}


def differing_wording(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What each side says of what the two say differently, a line for each, headed by its key."""
    keys = [key for key in dict.fromkeys((*new, *old)) if old.get(key) != new.get(key)]
    before, after = (
        _facts({key: side[key] for key in keys if side.get(key)}, alone=len(keys) == 1) for side in (old, new)
    )
    return before, after


def _facts(wording: Mapping[str, str], alone: bool = False) -> tuple[str, ...]:
    return tuple(
        line
        for key, value in wording.items()
        for line in (f"{key}: {value}" if key and not alone else value).split("\n")
    )


def lines_of(side: Revision, criterion: Criterion, other: Criterion | None = None) -> tuple[str, ...]:
    """A criterion in words: its definition, its tree, and those of its readings that the other side does not share."""
    tree = _tree_lines(side, criterion.tree) if criterion.tree else [side.uncovered]
    definition = [criterion.definition] if criterion.definition else []
    role = [f"as {criterion.role}:"] if other and other.role != criterion.role else []
    if criterion.limits or (other and other.limits):
        role = [f"as {criterion.role} {side.scope_of(criterion) or 'of the whole revision'}:"]
    notes = (f"Reading: {note}" for note in criterion.notes if not other or note not in other.notes)
    return (*role, *definition, *tree, *referral_of(criterion), *notes)


def required_by(side: Revision, requirement: Requirement) -> tuple[str, ...]:
    """What a revision requires, in words, a line for each part."""
    lines = _tree_lines(side, requirement.part)
    if not requirement.excluded:
        return tuple(lines)
    if isinstance(requirement.part, Tree):
        together = requirement.part.operator == "allOf"
        return "excluded, where together:" if together else f"excluded: {lines[0]}", *lines[1:]
    return (f"excluded: {lines[0]}",)


def in_one_line(side: Revision, part: Tree | str) -> str:
    """A tree in one line, what stands within another in brackets."""
    if not isinstance(part, Tree):
        return side.conditions[part].label
    said = [in_one_line(side, child) for child in part.parts]
    joined = (", and " if part.operator == "allOf" else ", or ").join(
        f"({words})" if isinstance(child, Tree) else words for words, child in zip(said, part.parts, strict=True)
    )
    return joined if part.operator in ("allOf", "anyOf") else f"{operator_words(part)}: {joined}"


def referral_of(criterion: Criterion) -> list[str]:
    """Where the document refers to otherwise, as one line; none where it does not."""
    return [f"otherwise see {criterion.otherwise[0]}"] if criterion.otherwise else []


def _tree_lines(side: Revision, part: Tree | str, depth: int = 0, full: bool = True) -> list[str]:
    """A tree in words, a line for each of its parts; of a criterion within it the content too, if `full`."""
    indent = "  " * depth
    if not isinstance(part, Tree):
        return [indent + side.conditions[part].label]
    if part.iri and depth and not full:
        return [f"{indent}{part.notation}, {part.label}"]
    name = f" ({part.notation}, {part.label})" if part.notation and depth else ""
    below = [line for child in part.parts for line in _tree_lines(side, child, depth + 1, full)]
    return [f"{indent}{operator_words(part)}{name}", *below]


# What is said of a thing and is not compared: its class, its place, our own remarks, and what a draft asks for.
_UNCOMPARED = {RDF.type, POL.statedIn, POL.toDo, SKOS.scopeNote}
# What a reader wants to see first of a thing, in this order; the rest follows by name.
_FIRST = ("label", "number", "authors as printed", "title", "definition", "gloss")


def stated_of(graph: Graph, node: Node) -> dict[str, str]:
    """What a revision says of a thing, by property, in words."""
    values: dict[str, list[str]] = {}
    for predicate, value in graph.predicate_objects(node):
        if predicate not in _UNCOMPARED and not isinstance(value, BNode):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", local_name(predicate)).lower()
            values.setdefault(words, []).append(_label(graph, value) if isinstance(value, URIRef) else str(value))
    ordered = sorted(values, key=lambda key: (_FIRST.index(key) if key in _FIRST else len(_FIRST), key))
    return {key: ", ".join(sorted(values[key])) for key in ordered}


def title_of(graph: Graph, node: Node | None) -> str:
    """What a thing is called in a list: its label, else its title, else its number."""
    names = (graph.value(node, property_) for property_ in (RDFS.label, DCTERMS.title, SKOS.notation))
    return next((str(name) for name in names if name), local_name(node))


def _label(graph: Graph, node: Node) -> str:
    """What a thing is called in passing; a work goes by the name of its IRI, which outlives every list."""
    return str(graph.value(node, RDFS.label) or graph.value(node, SKOS.prefLabel) or local_name(node))


def advised_by(side: Revision, advisory: Advisory) -> dict[str, str]:
    """What an advisory says, and when."""

    def words(parts: Iterable[Tree | str]) -> str:
        return "; ".join(sorted(" ".join(line.strip() for line in _tree_lines(side, part)) for part in parts))

    unless = words([advisory.unless]) if advisory.unless else ""
    return {"label": advisory.label, "": advisory.text, "when": words(advisory.when), "unless": unless}
