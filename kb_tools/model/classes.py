"""The classes of the vocabularies, and what links their members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from rdflib import RDF, URIRef
from rdflib.namespace import OWL, RDFS, SH, SKOS

from kb_tools.model.repository import ONTOLOGY, SHAPES, Repository
from kb_tools.rdf.namespaces import POL


class Classes:
    """The vocabularies; and the shapes, which bind a link to a class where the vocabularies leave that open."""

    def __init__(self, kb: Repository) -> None:
        self.curie, self.ontology, self.shapes = kb.curie, kb.ontology, kb.graph(kb.files_of(SHAPES))
        subjects = dict.fromkeys(triple[0] for path in kb.files_of(ONTOLOGY) for triple in kb.triples(path))
        self.order = {term: number for number, term in enumerate(subjects)}
        self.code_lists = set(self.ontology.transitive_subjects(RDFS.subClassOf, SKOS.Concept)) & set(self.order)
        classes = self.sorted(set(self.ontology[: RDF.type : OWL.Class]) - self.code_lists)
        self.properties = {class_: dict(self._properties(class_)) for class_ in classes}
        self.uses = Counter(property_ for properties in self.properties.values() for property_ in properties)

    def sorted(self, terms: Iterable[object]) -> list[URIRef]:
        """IRIs in the order in which the files of the vocabularies name them; others, by their text, after them."""
        found = {term for term in terms if isinstance(term, URIRef)}
        return sorted(found, key=lambda term: (self.order.get(term, len(self.order)), str(term)))

    def of_kind(self, kind: URIRef) -> set[object]:
        return set(self.ontology[: RDF.type : kind])

    def _properties(self, class_: URIRef) -> Iterator[tuple[URIRef, URIRef | None]]:
        """The properties that members of the class have, with the class of ours that each leads to; links first."""
        if class_ == POL.Criterion:  # A tree of conditions has no class of its own: it hangs on a criterion.
            yield from ((tree, POL.Condition) for tree in self.sorted(self.ontology[: RDFS.range : RDF.List]))
        links, own = self.of_kind(OWL.ObjectProperty), set(self.ontology[: RDFS.domain : class_])
        shaped: dict[URIRef, object] = {}
        for shape in self.shapes.objects(class_, ~SH.targetClass / SH.property):
            target, to_iri = self.shapes.value(shape, SH["class"]), (shape, SH.nodeKind, SH.IRI) in self.shapes
            paths = self.sorted(self.shapes[shape : SH.path])
            shaped |= {path: target for path in paths if target or to_iri or path in links}
        unbound = self.sorted(path for path in shaped if (path, RDFS.domain, None) not in self.ontology)
        for link in self.sorted(own & links) + unbound:
            targets = self.sorted([shaped.get(link)]) or self.sorted(self.ontology[link : RDFS.range])
            yield link, targets[0] if targets else None
        yield from ((value, None) for value in self.sorted(own & self.of_kind(OWL.DatatypeProperty)))
