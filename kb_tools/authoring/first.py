"""The first edition of a policy, as a person looks at it before it is released: there is none to compare it with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rdflib.namespace import DCTERMS, RDF

from kb_tools.as_json import AsJson
from kb_tools.determine.examples import ExampleResult
from kb_tools.model.parts import DOCUMENT_PARTS
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
from kb_tools.revisions.reach import reached
from kb_tools.revisions.seal import digests
from kb_tools.revisions.words import lines_of, name_of

# What a revision links to, by the part of the document that it is of.
_LINKS = {
    "Criteria": (POL.appliesWhen, POL.indication, POL.limitation, POL.exclusion, POL.remainder),
    "DispositionPart": (POL.disposition,),
    "Definitions": (POL.gives,),
    "Codes": (POL.lists,),
    "References": (POL.listsReference,),
    "Evidence": (POL.reports,),
}


@dataclass(frozen=True)
class FirstEdition(AsJson):
    """What is about to be released where no edition comes before.

    Attributes:
        revision: its name.
        parts: of each part of the document: its name, what is on file of it, and how many statements.
        criteria: each criterion: its role, its place and label, and what it says, line by line.
        passages: how many there are, by what became of them: "stated", or why they are left out ("Navigation").
        outcomes: how many example cases come to each outcome.
        layers: the digest of each layer of what it reaches: of what its seal will hold.
    """

    revision: str
    parts: tuple[tuple[str, str, int], ...]
    criteria: tuple[tuple[str, str, tuple[str, ...]], ...]
    passages: dict[str, int]
    outcomes: dict[str, int]
    layers: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return {
            "revision": self.revision,
            "parts": [{"part": part, "basis": basis, "statements": count} for part, basis, count in self.parts],
            "criteria": [{"role": role, "criterion": name, "says": list(lines)} for role, name, lines in self.criteria],
            "passages": self.passages,
            "outcomes": self.outcomes,
            "layers": self.layers,
        }


def first_edition(shown: Revision, examples: tuple[ExampleResult, ...]) -> FirstEdition:
    """What is about to be released.

    Args:
        shown: the revision as it would be once released.
        examples: what its example cases came to.
    """
    graph = shown.graph
    parts = tuple(
        (label, shown.basis(part), sum(len(set(graph.objects(shown.iri, link))) for link in _LINKS[part]))
        for part, label in DOCUMENT_PARTS.items()
    )
    whole = [node for node in graph.subjects(RDF.type, POL.Passage) if (node, DCTERMS.isPartOf, None) not in graph]
    left_out = (graph.value(node, POL.accountedAs) for node in whole)
    passages = Counter(local_name(reason) if reason else "stated" for reason in left_out)
    outcomes = Counter(one.determination.outcome.value for one in examples if one.determination)
    layers = digests(reached(shown.policy.kb, shown.policy, shown.entry))
    return FirstEdition(
        revision=f"{shown.policy.identifier}/{shown.entry.name}",
        parts=parts,
        criteria=tuple((one.role, name_of(one), lines_of(shown, one)) for one in shown.criteria),
        passages=dict(sorted(passages.items(), key=lambda pair: (pair[0] != "stated", pair[0]))),
        outcomes=dict(sorted(outcomes.items())),
        layers={name: layer.digest for name, layer in layers.items()},
    )
