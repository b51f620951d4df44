"""The check of the kinds of products: that cases can state each, and that what is stated is of one."""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import URIRef
from rdflib.namespace import RDFS
from rdflib.term import Node

from kb_tools.checks.core import Problem, name, names, relative
from kb_tools.model.products import closed_shapes, product_kinds
from kb_tools.model.repository import PRODUCT_SHAPES, Repository
from kb_tools.rdf.namespaces import CASE, SH


def product_classes(kb: Repository) -> Iterator[Problem]:
    """Kinds of products that a case cannot state, that it can misspell, or that state what another kind states too."""
    kinds = product_kinds(kb.ontology)
    for kind in kinds:
        yield from (Problem(name(kb, kind), message) for message in _problems(kb, kind))
    states: dict[Node, list[URIRef]] = {}
    for class_ in (CASE.Request, CASE.Coverage, CASE.Product, *kinds):
        for property_ in set(kb.case_shapes.objects(class_, ~SH.targetClass / SH.property / SH.path)):
            states.setdefault(property_, []).append(class_)
    for property_, classes in sorted(states.items()):
        if len(classes) > 1 and set(classes) & set(kinds):
            yield Problem(
                name(kb, property_),
                f"is stated of {names(kb, classes)}; a condition reads a kind of product as a whole: give each its own",
            )


def _problems(kb: Repository, kind: URIRef) -> Iterator[str]:
    for under in sorted(set(kb.ontology.subjects(RDFS.subClassOf, kind)), key=str):
        yield f"has {name(kb, under)} under it; a kind of product stands under case:Product"
    shapes = closed_shapes(kb.case_shapes, kind)
    if not shapes:
        yield f"is targeted by no closed node shape in {PRODUCT_SHAPES}; add one: until then no case can state it"
    within = set(kb.graph(kb.files_of(PRODUCT_SHAPES)).subjects())
    for path in kb.case_shape_files:
        for shape in {subject for subject, _, _ in kb.triples(path)} & set(shapes) - within:
            yield f"has its shape {name(kb, shape)} in {relative(kb, path)}; move it to {PRODUCT_SHAPES}"
