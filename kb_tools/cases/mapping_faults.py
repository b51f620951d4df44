"""What is wrong with mappings of codes: not of the form, or of terms and values that there are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from rdflib import Graph
from rdflib.namespace import RDF, RDFS

from kb_tools.cases.meaning import Meaning
from kb_tools.cases.vocabulary import Vocabulary
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, CLIN, READ, is_our_term

_SHAPES = "shapes/terminology.ttl"


def malformed(kb: Repository, graphs: Mapping[str, Graph]) -> Iterator[UnreadableInput]:
    """What in files of mappings is not of the form of shapes/terminology.ttl.

    Args:
        graphs: by the name of its file.
    """
    shapes = kb.graph([kb.root / _SHAPES])
    for where, graph in graphs.items():
        for term in sorted({str(subject) for subject in graph.subjects() if is_our_term(str(subject))}):
            yield UnreadableInput(
                f"says something of {kb.curie(term)}, a term of the vocabulary",
                where=where,
                hint="a terminology maps codes and defines no term",
            )
        for result in shacl.validate(graph, shapes):
            labels = (graph.value(node, RDFS.label) for node in graph.subjects() if str(node) == result.focus)
            focus = next((f'"{label}"' for label in labels if label), "")
            named = focus or (result.focus if ":" in result.focus else "a node without a name")
            place = kb.curie(result.path) if result.path else "not of the form"
            yield UnreadableInput(f"{named}: {place}", where=where, hint=result.message)
        if (None, RDF.type, READ.Mapping) not in graph and (None, RDF.type, READ.Words) not in graph:
            yield UnreadableInput("maps no code", where=where, hint="give it nodes of class read:Mapping")


def faults_of(meaning: Meaning, vocabulary: Vocabulary, own: Collection[str]) -> Iterator[tuple[str, str]]:
    """What a mapping says that cannot be, each with a hint: unknown terms, values that a finding cannot have.

    Args:
        own: the terms of our vocabularies that a code can mean.
    """
    ontology, curie = vocabulary.kb.ontology, vocabulary.kb.curie
    for term in sorted(meaning.concepts):
        if str(term) not in own:
            yield (
                f"is mapped to {curie(term)}, which is no concept or class of findings",
                "map it to a term of the case or clinical vocabulary",
            )
    for term in sorted({*meaning.leaves_open, *meaning.past, *([meaning.kind] if meaning.kind else ())}):
        if (term, RDFS.subClassOf, CASE.Finding) not in ontology:
            yield (
                f"is mapped to {curie(str(term))}, which is no class of findings",
                "map it to a class of findings of the clinical vocabulary",
            )
    diseases = {concept for concept in meaning.concepts if (concept, RDF.type, CLIN.Disease) in ontology}
    if diseases and vocabulary.narrowest(diseases) is None:
        names = " and ".join(sorted(map(curie, diseases)))
        yield f"is mapped to {names}, which are different diseases", "map it to one, or to a group of both"
    for predicate, value in sorted(meaning.values):
        if (predicate, RDFS.domain, meaning.kind) not in ontology:
            yield (
                f"is mapped to a finding with {curie(predicate)}, no property of its class",
                "use the properties of the class of the finding",
            )
            continue
        key = vocabulary.keys.get((meaning.kind, predicate)) if meaning.kind else None
        if key is None or not key.takes(value) or sum(predicate == other for other, _ in meaning.values) > 1:
            yield (
                f"is mapped to a finding whose {curie(predicate)} is not one allowed value",
                key.hint if key else "leave it out",
            )
            return
    measure = vocabulary.measure_of(meaning.kind) if meaning.kind else None
    if meaning.complement and (measure is None or measure.unit != "%"):
        yield "is mapped as the complement of what is no percentage", "leave read:complement out"
    if measure and not measure.consistent(dict(meaning.values)):
        stated = " and ".join(sorted(curie(p) for p, _ in meaning.values if p in measure.properties))
        yield f"is mapped to a finding whose {stated} exclude each other", "state one number, or bounds that meet"
