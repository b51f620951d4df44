"""The concepts of the vocabularies: which classes list them, and the facts about them that shapes read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rdflib import Graph
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.rdf.terms import Triple

_ABBREVIATION = re.compile(r"([A-Z][A-Za-z0-9-]*[A-Z][A-Za-z0-9-]*)[.,;:]")


def concept_classes(ontology: Graph) -> set[Node]:
    """The classes whose members are concepts of the vocabularies."""
    return {class_ for class_ in ontology.transitive_subjects(RDFS.subClassOf, SKOS.Concept) if class_ is not None}


def abbreviation(definition: str) -> str:
    """The abbreviation with which a definition begins ("AML.", "APL, a kind of AML."); "" where it begins with none."""
    found = _ABBREVIATION.match(definition)
    return found[1] if found else ""


def concept_facts(ontology: Graph) -> Iterator[Triple]:
    """Every concept with its class and what is broader: all that shapes ask of the vocabularies."""
    classes = concept_classes(ontology)
    # rdflib takes its time over each look into a namespace.
    broader, type_ = SKOS.broader, RDF.type
    for subject, predicate, object_ in ontology:
        if predicate == broader or (predicate == type_ and object_ in classes):
            yield subject, predicate, object_
