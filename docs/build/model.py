"""Writes docs/model.md: the classes and links of the vocabularies, a Mermaid class diagram for each vocabulary."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from rdflib import RDF, URIRef
from rdflib.namespace import OWL, RDFS, SH, SKOS

from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import POL

HEAD = """# The model

For whoever writes a query: the classes of the vocabularies, and what links their members. `make docs` writes this page.
A box is a class. A row is a property, and after its arrow stands the class that it leads to, where there is only one;
[n] is a code list of n concepts. An arrow between boxes follows a link that only this class has; an open triangle
points from a class to the class that it is a kind of."""


class Model:
    """The vocabularies; and the shapes, which bind a link to a class where the vocabularies leave that open."""

    def __init__(self, kb: Repository) -> None:
        self.curie, self.ontology, self.shapes = kb.curie, kb.ontology, kb.graph(kb.files("shapes"))
        subjects = dict.fromkeys(triple[0] for path in kb.files("ontology") for triple in kb.triples(path))
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

    def diagram(self, prefix: str) -> Iterator[str]:
        """The lines of the diagram of one vocabulary, whose own prefix is left out of names."""
        names = {term: self.curie(term).removeprefix(prefix) for term in self.properties}
        yield "classDiagram\ndirection LR"
        for class_ in (own := [term for term, name in names.items() if ":" not in name]):
            rows = [self._row(*pair).replace(prefix, "") for pair in self.properties[class_].items()]
            yield "\n    ".join([f"class {names[class_]} {{", *rows]) + "\n}" if rows else f"class {names[class_]}"
            for parent in self.sorted(set(self.ontology[class_ : RDFS.subClassOf]) & set(names)):
                yield f"`{names[parent]}` <|-- {names[class_]}"
            targets = dict.fromkeys(
                to for property_, to in self.properties[class_].items() if self.uses[property_] == 1
            )
            yield from (f"{names[class_]} --> {names[to]}" for to in targets if to in own and to != class_)

    def _row(self, property_: URIRef, target: URIRef | None) -> str:
        of = "list of " if (property_, RDFS.range, RDF.List) in self.ontology else ""
        size = f" [{len(self.of_kind(target))}]" if target and target in self.code_lists else ""
        return self.curie(property_) + (f" → {of}{self.curie(target)}{size}" if target else "")


def page(kb: Repository) -> str:
    """The page, as Markdown: the largest vocabulary first."""
    model, parts = Model(kb), [HEAD]
    for prefix, _ in Counter(kb.curie(class_).partition(":")[0] for class_ in model.properties).most_common():
        label = kb.labels[kb.prefixes[prefix].rstrip("#/")]
        parts.append("\n".join([f"## {prefix}: {label}\n\n```mermaid", *model.diagram(prefix + ":"), "```"]))
    free = model.sorted((model.of_kind(OWL.ObjectProperty) | model.of_kind(OWL.DatatypeProperty)) - set(model.uses))
    parts.append("Properties in no box: " + ", ".join(f"`{kb.curie(property_)}`" for property_ in free) + ".")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(Repository(Path(*sys.argv[1:]))), end="")
