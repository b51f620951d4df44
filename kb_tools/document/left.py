"""What is left to do in a draft: what a person must decide, and what only has to be pointed to its new place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rdflib import Graph, URIRef
from rdflib.namespace import PROV, RDF, RDFS, SKOS

from kb_tools.as_json import AsJson
from kb_tools.document.passages import KINDS
from kb_tools.errors import KbError, did_you_mean
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import CONDITIONS
from kb_tools.rdf.namespaces import BIBO, POL
from kb_tools.rdf.terms import local_name

# The kinds of what is left, those whose error does most harm first.
PLACE = "passage"
CONDITION = "condition"
ORDER = (CONDITION, *KINDS, PLACE)


@dataclass(frozen=True)
class Left:
    """One thing that is left to do.

    Attributes:
        iri: of the statement or the passage that is marked.
        kind: a kind of statement, or "passage".
        place: where it stands in the document, as "II.A"; "" where that is not known.
        label: its short name; "" of a passage.
        task: what is to do, in words.
        path: of the file that holds the mark.
        mechanical: whether nothing is to be decided: the wording is as before, and what is stated there has to be
            pointed to its place in the new document.
        shared: what the policy's own files (log, discrepancies) state of the same place in the edition before.
    """

    iri: URIRef
    kind: str
    place: str
    label: str
    task: str
    path: Path
    mechanical: bool = False
    shared: tuple[URIRef, ...] = ()

    def names(self) -> Iterator[str]:
        """What it can be called by: its place, the end of its IRI, the whole."""
        yield from filter(None, (self.place, local_name(self.iri), str(self.iri)))

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return {
            "kind": self.kind,
            "iri": str(self.iri),
            "place": self.place or None,
            "label": self.label or None,
            "task": self.task,
            "mechanical": self.mechanical,
        }


class Draft(AsJson):
    """A draft, and what is left to do in it.

    Args:
        entry: a revision of the policy with pol:toDo.

    Raises:
        KbError: the revision is no draft.
    """

    def __init__(self, policy: Policy, entry: RevisionEntry) -> None:
        self.policy, self.entry = policy, entry
        if not entry.draft:
            raise KbError(
                f"{policy.identifier}/{entry.name} is no draft",
                hint="kb draft start begins one; a released revision never changes",
            )
        self.graph = policy.own_graph(entry)
        self.folder = policy.revision_folders[entry.name]

    @cached_property
    def before(self) -> RevisionEntry | None:
        """The edition that it was made from; None of the first."""
        source = self.graph.value(URIRef(self.entry.iri), PROV.wasRevisionOf)
        return self.policy.entry(str(source)) if source else None

    @cached_property
    def left(self) -> tuple[Left, ...]:
        """All that is left but the mark of the draft itself: what must be decided first, the worst first."""
        found = [
            *self._of_files(self.folder, self.graph),
            *self._of_files(self.policy.folder, self.policy.shared),
            *self._of_conditions(),
        ]
        return tuple(
            sorted(found, key=lambda one: (one.mechanical, ORDER.index(one.kind), self._order(one.iri), one.iri))
        )

    @property
    def to_decide(self) -> list[Left]:
        """What a person must decide."""
        return [one for one in self.left if not one.mechanical]

    @property
    def mechanical(self) -> list[Left]:
        """What only has to be pointed to its new place."""
        return [one for one in self.left if one.mechanical]

    def find(self, name: str) -> Left:
        """What is left at a place or of a statement.

        Args:
            name: a place ("II.A"), an IRI, its end, or a CURIE.

        Raises:
            KbError: nothing is left there.
        """
        iri = self.expanded(name)
        for one in self.left:
            if iri in one.names() or name.casefold() in (known.casefold() for known in one.names()):
                return one
        known = [known for one in self.left for known in list(one.names())[:2]]
        raise KbError(
            f"nothing is left to do at {name!r} in {self.policy.identifier}/{self.entry.name}",
            hint=did_you_mean(name, known) or "kb draft status lists what is left",
        )

    def expanded(self, name: str) -> str:
        """The IRI that a CURIE stands for; anything else as it is."""
        prefix, colon, rest = name.strip("<>").partition(":")
        known = self.policy.prefixes
        return f"{known[prefix]}{rest}" if colon and prefix in known else name.strip("<>")

    def _of_files(self, folder: Path, graph: Graph) -> Iterator[Left]:
        for node, task in graph.subject_objects(POL.toDo):
            if not isinstance(node, URIRef) or node == URIRef(self.entry.iri) or not self._is_own(node, graph):
                continue
            path = next(path for path in self.policy.kb.files_in(folder) if self._marks(path, node))
            kind = next(
                (name for name, classes in KINDS.items() for one in classes if (node, RDF.type, one) in graph), ""
            )
            if (node, RDF.type, BIBO.Document) in graph:
                kind = "revision"
            shared = tuple(self._shared(node)) if not kind else ()
            place = str(graph.value(node, SKOS.notation) or "")
            label = str(graph.value(node, RDFS.label) or graph.value(node, POL.gloss) or "")
            same = bool(shared) and self._unchanged(node)
            yield Left(node, kind or PLACE, place, label, str(task), path, same, shared)

    def _of_conditions(self) -> Iterator[Left]:
        """The conditions that the draft reads and that were only begun."""
        kb = self.policy.kb
        for node, task in kb.conditions.subject_objects(POL.toDo):
            if isinstance(node, URIRef) and (None, None, node) in self.graph:
                path = next(path for path in kb.files_of(CONDITIONS) if self._marks(path, node))
                yield Left(node, CONDITION, "", str(kb.conditions.value(node, RDFS.label) or ""), str(task), path)

    def _is_own(self, node: URIRef, graph: Graph) -> bool:
        """Whether a mark is of this draft: of the policy's own files, those of its row in the log alone."""
        return graph is self.graph or (node, POL.records, URIRef(self.entry.iri)) in graph

    def _marks(self, path: Path, node: URIRef) -> bool:
        return any(subject == node and predicate == POL.toDo for subject, predicate, _ in self.policy.kb.triples(path))

    def _earlier(self, passage: URIRef) -> URIRef | None:
        """The passage of the edition before that this one was carried over from."""
        return URIRef(passage.replace(self.entry.iri, self.before.iri)) if self.before else None

    def _shared(self, passage: URIRef) -> Iterator[URIRef]:
        """What the policy's own files state of the passage of the edition before, and do not yet of this one."""
        earlier = self._earlier(passage)
        there = set(self.policy.shared.subjects(POL.statedIn, passage))
        if earlier is not None:
            stated = set(self.policy.shared.subjects(POL.statedIn, earlier)) - there
            yield from sorted(node for node in stated if isinstance(node, URIRef))

    def _unchanged(self, passage: URIRef) -> bool:
        """Whether a passage is as it was, word for word."""
        earlier = self._earlier(passage)
        if self.before is None or earlier is None:
            return False
        digests = set(self.policy.own_graph(self.before).objects(earlier, POL.digest))
        return bool(digests) and digests == set(self.graph.objects(passage, POL.digest))

    def _order(self, node: URIRef) -> int:
        """Where the first place of it stands in the document."""
        places = [node, *self.graph.objects(node, POL.statedIn)]
        return min((int(str(order)) for place in places for order in self.graph.objects(place, POL.order)), default=0)

    def to_dict(self) -> dict[str, Any]:
        """Give the draft as `kb draft status --format json` does."""
        return {
            "policy": self.policy.identifier,
            "revision": self.entry.name,
            "from": self.before.name if self.before else None,
            "toDecide": [one.to_dict() for one in self.to_decide],
            "toPoint": [one.to_dict() for one in self.mechanical],
        }


def drafts(policy: Policy) -> list[RevisionEntry]:
    """The drafts of a policy, oldest first."""
    return [entry for entry in policy.history if entry.draft]
