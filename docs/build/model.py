"""Writes docs/model.md: the classes and links of the vocabularies that all policies share.

A Mermaid class diagram for each vocabulary.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rdflib import RDF, URIRef
from rdflib.namespace import OWL, RDFS

from kb_tools.model.classes import Classes
from kb_tools.model.repository import Repository

HEAD = """# The model

For whoever writes a query: the classes of the vocabularies, and what links their members. `make docs` writes this page.
A box is a class. A row is a property, and after its arrow stands the class that it leads to, where there is only one;
[n] is a code list of n concepts. An arrow between boxes follows a link that only this class has; an open triangle
points from a class to the class that it is a kind of."""


def diagram(model: Classes, prefix: str) -> Iterator[str]:
    """The lines of the diagram of one vocabulary, whose own prefix is left out of names."""
    names = {term: model.curie(term).removeprefix(prefix) for term in model.properties}
    yield "classDiagram\ndirection LR"
    for class_ in (own := [term for term, name in names.items() if ":" not in name]):
        rows = [_row(model, *pair).replace(prefix, "") for pair in model.properties[class_].items()]
        yield "\n    ".join([f"class {names[class_]} {{", *rows]) + "\n}" if rows else f"class {names[class_]}"
        for parent in model.sorted(set(model.ontology[class_ : RDFS.subClassOf]) & set(names)):
            yield f"`{names[parent]}` <|-- {names[class_]}"
        targets = dict.fromkeys(to for property_, to in model.properties[class_].items() if model.uses[property_] == 1)
        yield from (f"{names[class_]} --> {names[to]}" for to in targets if to in own and to != class_)


def _row(model: Classes, property_: URIRef, target: URIRef | None) -> str:
    of = "list of " if (property_, RDFS.range, RDF.List) in model.ontology else ""
    size = f" [{len(model.of_kind(target))}]" if target and target in model.code_lists else ""
    return model.curie(property_) + (f" → {of}{model.curie(target)}{size}" if target else "")


def page(kb: Repository) -> str:
    """The page, as Markdown: the largest vocabulary first."""
    model, parts = Classes(kb), [HEAD]
    for prefix, _ in Counter(kb.curie(class_).partition(":")[0] for class_ in model.properties).most_common():
        label = kb.labels[kb.prefixes[prefix].rstrip("#/")]
        parts.append("\n".join([f"## {prefix}: {label}\n\n```mermaid", *diagram(model, prefix + ":"), "```"]))
    free = model.sorted((model.of_kind(OWL.ObjectProperty) | model.of_kind(OWL.DatatypeProperty)) - set(model.uses))
    parts.append("Properties in no box: " + ", ".join(f"`{kb.curie(property_)}`" for property_ in free) + ".")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(Repository(Path(*sys.argv[1:])).shared), end="")
