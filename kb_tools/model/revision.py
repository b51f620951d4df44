"""A revision, as Python reads it from its graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools.errors import KnowledgeBaseError, did_you_mean
from kb_tools.model.history import RevisionEntry
from kb_tools.model.logic import LISTED_BY, Tree, named_parts
from kb_tools.model.policy import Policy
from kb_tools.model.repository import CONDITIONS, home_of
from kb_tools.model.statements import ROLES, Advisory, Condition, Criterion, Passage, Reference
from kb_tools.model.windows import DamagedWindow, UnreadableWindow, Window, asking
from kb_tools.rdf.namespaces import BIBO, CITO, POL
from kb_tools.rdf.terms import local_name

# The properties that give the parts of a criterion, or say how many of them must hold.
PARTS = {POL.atLeast, *(POL[listed] for listed in LISTED_BY.values())}
# The properties by which a criterion or an advisory names a condition.
_NAMES_CONDITION = {RDF.first, POL.adviseWhen, POL.adviseUnless}
_GIVE = "pol:allOf, pol:anyOf, pol:noneOf, or pol:atLeast with pol:of"


class DamagedTree(Exception):
    """What is wrong with the parts of a criterion, and after a semicolon what to do."""


class Parts(NamedTuple):
    """The parts that a node of a criterion has; `least`: of "atLeast", how many of them must hold, else 0."""

    operator: str
    nodes: list[Node]
    least: int


def parts_of(graph: Graph, node: Node) -> Parts | None:
    """The operator and the parts that a node has; None where it has none, as a condition.

    Raises:
        DamagedTree: it has several lists of parts, an empty one, or one that is no list; or how many of them must hold
            is missing, no whole number, or out of range.
    """
    heads = [(operator, head) for operator, link in LISTED_BY.items() for head in graph.objects(node, POL[link])]
    counts = list(graph.objects(node, POL.atLeast))
    if not heads:
        if counts:
            raise DamagedTree("has pol:atLeast without pol:of; list the parts by pol:of")
        return None
    if len(heads) > 1:
        raise DamagedTree(f"has {len(heads)} lists of parts; give one {_GIVE}")
    operator, head = heads[0]
    nodes = _listed(graph, head)
    if operator != "atLeast":
        if counts:
            raise DamagedTree(f"has pol:atLeast beside pol:{operator}; list the parts by pol:of")
        return Parts(operator, nodes, 0)
    if len(set(nodes)) < len(nodes):
        raise DamagedTree("lists one part twice, which would count twice; list it once")
    return Parts(operator, nodes, _least(counts, len(nodes)))


def _listed(graph: Graph, head: Node) -> list[Node]:
    """The members of a list."""
    parts: list[Node] = []
    seen: set[Node] = set()
    while head != RDF.nil:
        firsts, rests = list(graph.objects(head, RDF.first)), list(graph.objects(head, RDF.rest))
        if head in seen:
            raise DamagedTree("has a list of parts that runs in a circle; end it")
        if len(firsts) != 1 or len(rests) != 1:
            raise DamagedTree("has parts that are no list; write them in brackets")
        seen.add(head)
        parts += firsts
        head = rests[0]
    if not parts:
        raise DamagedTree("has no parts; list them")
    return parts


def _least(counts: list[Node], parts: int) -> int:
    """How many of so many parts must hold."""
    wanted = f"give one pol:atLeast, a whole number from 1 to {parts}, the number of its parts"
    if len(counts) != 1:
        raise DamagedTree(f"has {len(counts) or 'no'} pol:atLeast beside pol:of; {wanted}")
    (count,) = counts
    if not isinstance(count, Literal) or count.datatype != XSD.integer or not isinstance(count.value, int):
        raise DamagedTree(f"has as pol:atLeast what is no whole number, {str(count)!r}; {wanted}")
    if not 1 <= count.value <= parts:
        raise DamagedTree(f"asks by pol:atLeast for {count.value} of {parts} parts; {wanted}")
    return count.value


def _any_of(trees: list[Tree]) -> Tree:
    return trees[0] if len(trees) == 1 else Tree("anyOf", tuple(trees))


def _named(indications: Sequence[Criterion]) -> str:
    """Indications by their places: "criterion I", "criteria I.A and I.B"."""
    *first, last = (indication.notation for indication in indications)
    return f"criteria {', '.join(first)} and {last}" if first else f"criterion {last}"


@dataclass(frozen=True)
class Revision:
    """One revision, read from the graph that holds it and all it shares."""

    policy: Policy
    entry: RevisionEntry
    graph: Graph = field(repr=False, compare=False)

    @classmethod
    def load(cls, policy: Policy, entry: RevisionEntry) -> Revision:
        return cls(policy, entry, policy.revision_graph(entry))

    @property
    def iri(self) -> URIRef:
        return URIRef(self.entry.iri)

    @cached_property
    def disposition(self) -> tuple[str, str] | None:
        """IRI and label of how unsupported uses are classed, None where that is not known."""
        node = self.graph.value(self.iri, POL.disposition)
        return (str(node), str(self.graph.value(node, SKOS.prefLabel))) if node else None

    @cached_property
    def criteria(self) -> tuple[Criterion, ...]:
        """Its criteria: applicability first, then in the order of the document.

        Raises:
            KnowledgeBaseError: it holds its criteria as on file, and states none; or one cannot be read whole.
        """
        stated = [(node, role) for role, link in ROLES.items() for node in self.graph.objects(self.iri, link)]
        if self.entry.criteria_on_file and not stated:
            raise KnowledgeBaseError(
                f"{self.policy.identifier} revision {self.entry.name} holds its criteria as on file, and states none",
                where=str(self.policy.revision_folders[self.entry.name]),
                hint="write criteria.ttl, or say pol:NotOnFile of pol:Criteria in its revision.ttl",
            )
        found = [self._criterion(node, role) for node, role in stated]
        return tuple(
            sorted(
                found,
                key=lambda criterion: (criterion.role != "applicability", self._position(criterion), criterion.iri),
            )
        )

    @cached_property
    def all_criteria(self) -> dict[str, Criterion]:
        """Its criteria by IRI, each followed by those within it."""
        return {inner.iri: inner for criterion in self.criteria for inner in criterion.with_parts()}

    def basis(self, part: str) -> str:
        """What is on file of a part, by their local names: "DocumentOnFile" of "Criteria"."""
        return self.entry.bases.get(part, "NotOnFile")

    def _position(self, criterion: Criterion) -> int:
        """The last of its places: a criterion under a heading stands in the heading too."""
        orders = [self.graph.value(URIRef(place.iri), POL.order) for place in criterion.places]
        return max((int(str(order)) for order in orders if order is not None), default=0)

    def of_role(self, *roles: str) -> tuple[Criterion, ...]:
        return tuple(criterion for criterion in self.criteria if criterion.role in roles)

    @cached_property
    def indications(self) -> tuple[Criterion, ...]:
        """Its indications, in the order of the document; of several any is enough."""
        return self._stated("indication", "states no indication", "pol:indication")

    @cached_property
    def applicability_tree(self) -> Tree:
        """Holds where the revision applies: all of its applicability criteria hold."""
        found = self._stated("applicability", "does not say when it applies", "pol:appliesWhen")
        return Tree("allOf", tuple(self._content(criterion) for criterion in found))

    def _stated(self, role: str, problem: str, term: str) -> tuple[Criterion, ...]:
        """Its criteria of a role without which no case can be determined; an error if there are none."""
        found = self.of_role(role)
        if not found:
            where = str(self.policy.folder / self.entry.name)
            raise KnowledgeBaseError(f"revision {self.entry.name} {problem}", where=where, hint=f"add {term}")
        return found

    @cached_property
    def indication_tree(self) -> Tree:
        """Holds where an indication does, whatever limits it."""
        return _any_of([self._content(indication) for indication in self.indications])

    @cached_property
    def ways(self) -> dict[str, Tree]:
        """The ways to meet the criteria, by the IRI of the indication: it holds, and nothing that limits it alone."""
        return {indication.iri: self._way(indication) for indication in self.indications}

    @cached_property
    def ways_tree(self) -> Tree:
        """Holds where one of the ways to meet the criteria does."""
        return _any_of(list(self.ways.values()))

    @cached_property
    def criteria_tree(self) -> Tree:
        """Holds where the criteria hold: one of the ways does, and no limitation or exclusion of the whole revision."""
        against = tuple(self._content(bar) for bar in self.bars if not self.limited_by(bar))
        return Tree("allOf", (self.ways_tree, *([Tree("noneOf", against)] if against else [])))

    @property
    def bars(self) -> tuple[Criterion, ...]:
        """Its limitations and exclusions."""
        return self.of_role("limitation", "exclusion")

    def limited_by(self, bar: Criterion) -> tuple[Criterion, ...]:
        """The indications that a limitation or exclusion limits, where these are not all there are."""
        if not bar.limits:
            return ()
        found = tuple(indication for indication in self.indications if indication.iri in bar.limits)
        return found if len(found) < len(self.indications) else ()

    def _way(self, indication: Criterion) -> Tree:
        own = tuple(self._content(bar) for bar in self.bars if indication in self.limited_by(bar))
        content = self._content(indication)
        return Tree("allOf", (content, Tree("noneOf", own))) if own else content

    def scope_of(self, bar: Criterion) -> str:
        """What a limitation or exclusion limits, in words: "of criterion I.A"; "" where it limits all there is."""
        limited = self.limited_by(bar)
        return f"of {_named(limited)}" if limited else ""

    @property
    def uncovered(self) -> str:
        """What a remainder covers, in words."""
        does = "does" if len(self.indications) == 1 else "do"
        return f"everything that {_named(self.indications)} {does} not cover"

    @staticmethod
    def _content(criterion: Criterion) -> Tree:
        assert criterion.tree is not None
        return criterion.tree

    @cached_property
    def deciding_conditions(self) -> tuple[str, ...]:
        """The conditions of the criteria, each once, in the order of the criteria."""
        trees = [criterion.tree for criterion in self.criteria if criterion.tree]
        return tuple(dict.fromkeys(iri for tree in trees for iri in tree.conditions()))

    @cached_property
    def conditions(self) -> dict[str, Condition]:
        """Every condition that the revision reads, those of its advisories last.

        Raises:
            KnowledgeBaseError: two of them have one name, by which rows and exported shapes tell them apart.
        """
        parts = [part for advisory in self.advisories for part in (*advisory.when, advisory.unless) if part]
        advising = sorted(iri for part in parts for iri in (part.conditions() if isinstance(part, Tree) else [part]))
        read = list(dict.fromkeys((*self.deciding_conditions, *advising)))
        named: dict[str, str] = {}
        for iri in read:
            if (other := named.setdefault(local_name(iri), iri)) != iri:
                raise KnowledgeBaseError(
                    f"revision {self.entry.name} reads two conditions of one name: "
                    f"{self.policy.kb.curie(other)} and {self.policy.kb.curie(iri)}",
                    where=str(self.policy.folder / self.entry.name),
                    hint="give the policy's own another name",
                )
        return {iri: self._condition(iri) for iri in read}

    @cached_property
    def advisories(self) -> tuple[Advisory, ...]:
        found = []
        for node in self.graph.objects(self.iri, POL.advises):
            unless = self.graph.value(node, POL.adviseUnless)
            found.append(
                Advisory(
                    iri=str(node),
                    label=self._label(node),
                    text=self._text(node, SKOS.definition),
                    when=tuple(self._part(when) for when in self.graph.objects(node, POL.adviseWhen)),
                    unless=self._part(unless) if unless else None,
                    places=self.places(node),
                    citations=self.citations(node),
                )
            )
        return tuple(sorted(found, key=lambda advisory: (not advisory.when, advisory.iri)))

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """What a reader of every determination under this revision must know of its basis."""
        notices = []
        if self.basis("Criteria") == "InferredFromLog":
            notices.append(
                f"The document of revision {self.entry.name} is not on file: its criteria are inferred backwards from "
                "a later document and its revision log, and the places given are those of that document."
            )
        if self.disposition is None:
            notices.append(f"How revision {self.entry.name} classes unsupported uses is not on file.")
        for borrowed in self.graph.objects(self.iri, POL.borrowsDefinition):
            term = self._label(self.graph.value(borrowed, POL.definition))
            source = local_name(self.graph.value(borrowed, POL.borrowedFrom))
            notices.append(f"Revision {self.entry.name} as on file does not define {term}: taken from {source}.")
        return tuple(sorted(notices))

    # ------------------------------------------------------------------ reading nodes

    def _text(self, node: Node | None, property_: URIRef) -> str:
        return str(self.graph.value(node, property_) or "")

    def _label(self, node: Node | None) -> str:
        return self._text(node, RDFS.label) or self._text(node, SKOS.prefLabel) or local_name(node)

    def _notes(self, node: Node) -> tuple[str, ...]:
        return tuple(sorted(str(note) for note in self.graph.objects(node, SKOS.scopeNote)))

    def _criterion(self, node: Node, role: str) -> Criterion:
        other = self.graph.value(node, POL.otherwiseSee)
        tree = self._tree(node)
        if tree is None and role != "remainder":
            raise KnowledgeBaseError(
                f"{self.policy.kb.curie(str(node))} has no content in revision {self.entry.name}",
                where=str(self.policy.folder / self.entry.name),
                hint=f"add {_GIVE}",
            )
        return Criterion(
            iri=str(node),
            role=role,
            notation=self._text(node, SKOS.notation),
            label=self._label(node),
            definition=self._text(node, SKOS.definition),
            notes=self._notes(node),
            tree=tree,
            places=self.places(node),
            citations=self.citations(node),
            otherwise=(self._text(other, DCTERMS.identifier) or local_name(other), str(other)) if other else None,
            parts=tuple(self._criterion(URIRef(part.iri), "part") for part in named_parts(tree)),
            limits=self._limits(node, role),
        )

    def _limits(self, node: Node, role: str) -> tuple[str, ...]:
        """The indications that a criterion limits.

        Raises:
            KnowledgeBaseError: it limits what is no indication of the revision, or is no limitation or exclusion.
        """
        limited = sorted(self.graph.objects(node, POL.limits), key=str)
        indications = set(self.graph.objects(self.iri, POL.indication))
        wrong = [found for found in limited if found not in indications]
        what = ""
        if limited and role not in ("limitation", "exclusion"):
            what = f"has pol:limits and is no limitation or exclusion ({role})"
        elif wrong:
            what = f"limits {self._called(wrong[0])}, which is no indication of revision {self.entry.name}"
        if what:
            raise KnowledgeBaseError(
                f"{self._called(node)} {what}",
                where=str(self._file_of(node)),
                hint="name by pol:limits what pol:indication names, of a limitation or exclusion; "
                "without it, it limits all",
            )
        return tuple(map(str, limited))

    def _tree(self, node: Node, above: tuple[Node, ...] = ()) -> Tree | None:
        """The tree that a node has, None for a condition. `above` are the nodes that it is a part of.

        Raises:
            KnowledgeBaseError: it cannot be read whole: of a part that is left out, nobody would know.
        """
        try:
            if node in above:
                raise DamagedTree("is a part of itself; correct the tree")
            found = parts_of(self.graph, node)
            if found is None:
                return None
            parts = tuple(self._part(part, (*above, node)) for part in found.nodes)
            if found.operator == "atLeast" and len(set(parts)) < len(parts):
                raise DamagedTree("lists two parts that say the same, which would count twice; list one of them")
        except DamagedTree as damage:
            what, _, hint = f"{self._called(node)} {damage}".rpartition("; ")
            raise KnowledgeBaseError(what, where=str(self._file_of(node)), hint=hint) from None
        iri = str(node) if isinstance(node, URIRef) else ""
        notation, label = self._text(node, SKOS.notation), self._text(node, RDFS.label)
        return Tree(found.operator, parts, iri, notation, label, found.least)

    def _part(self, node: Node, above: tuple[Node, ...] = ()) -> Tree | str:
        return self._tree(node, above) or str(node)

    def _called(self, node: Node) -> str:
        return self.policy.kb.curie(str(node)) if isinstance(node, URIRef) else "a part of a criterion"

    def _file_of(self, node: Node) -> Path:
        """The file that states the parts of a node: one of this revision, or of the one that it shares with."""
        for folder in self._folders:
            for path in self.policy.kb.files_in(folder):
                if any(s == node and p in PARTS for s, p, _ in self.policy.kb.triples(path)):
                    return path
        return self._folders[0]

    @property
    def _folders(self) -> tuple[Path, Path]:
        """The folder of this revision, and that of the one that it shares with, if any; else the same."""
        folders = self.policy.revision_folders
        own = folders[self.entry.name]
        return own, folders.get(str(self.graph.value(self.iri, POL.criteriaAsIn)).rpartition("/")[2], own)

    def _condition(self, iri: str) -> Condition:
        node = URIRef(iri)
        if (node, RDF.type, POL.Condition) not in self.graph:
            raise KnowledgeBaseError(
                f"{self._called(node)} is no condition", where=str(self._naming(node)), hint=self._instead_of(node)
            )
        window = self._window(node)
        # As it is evaluated: its window is in its shapes.
        evaluated = self.policy.kb.evaluated
        return Condition(
            iri=iri,
            label=self._label(node),
            definition=self._text(node, SKOS.definition),
            notes=self._notes(node),
            asks_for=asking(self._text(node, POL.asksFor), window),
            reads=frozenset(str(term) for term in self.graph.objects(node, POL.reads)),
            holds_when=str(evaluated.value(node, POL.holdsWhen) or ""),
            fails_when=str(evaluated.value(node, POL.failsWhen) or ""),
            possible=frozenset(local_name(value) for value in self.graph.objects(node, POL.possibleValue)),
            within=window,
        )

    def _window(self, node: Node) -> Window | None:
        """How old a finding may be to count for a condition; None for any age.

        Raises:
            UnreadableWindow: what it states is no window, or it states several.
        """
        stated = sorted(self.graph.objects(node, POL.within), key=str)
        try:
            if len(stated) > 1:
                raise DamagedWindow(f"{' and '.join(map(str, stated))} are {len(stated)} windows; state one")
            return Window.of(stated[0]) if stated else None
        except DamagedWindow as damage:
            what, _, hint = f"{self._called(node)} pol:within {damage}".partition("; ")
            where = str(self.policy.kb.file_of(node, POL.within, CONDITIONS))
            raise UnreadableWindow(what, where=where, hint=hint) from None

    def _naming(self, node: Node) -> Path:
        """The file of this revision, or of the one that it shares with, that names a condition."""
        for folder in self._folders:
            for path in self.policy.kb.files_in(folder):
                if any(o == node and p in _NAMES_CONDITION for _, p, o in self.policy.kb.triples(path)):
                    return path
        return self._folders[0]

    def _instead_of(self, node: Node) -> str:
        """What to do about the name of a condition that is none."""
        kb = self.policy.kb
        known = [kb.curie(str(one)) for one in self.graph.subjects(RDF.type, POL.Condition)]
        meant = did_you_mean(self._called(node), known)
        return (
            f"{meant + ' Else d' if meant else 'd'}escribe it in {home_of(str(node), CONDITIONS)}/, as a pol:Condition"
        )

    def places(self, node: Node) -> tuple[Passage, ...]:
        """Where in the document a statement stands, in the document's order."""
        found = [
            (
                int(str(self.graph.value(place, POL.order) or 0)),
                Passage(str(place), self._text(place, SKOS.notation), self._text(place, POL.section)),
            )
            for place in self.graph.objects(node, POL.statedIn)
        ]
        return tuple(passage for _, passage in sorted(found, key=lambda pair: (pair[0], pair[1].iri)))

    def citations(self, node: Node) -> tuple[Reference, ...]:
        """The works that a statement cites, by their number in this revision."""
        found = [self.reference(cited) for cited in self.graph.objects(node, CITO.citesAsEvidence)]
        return tuple(sorted(found, key=lambda work: (work.number, work.iri)))

    def reference(self, node: Node) -> Reference:
        """One work of the list of references; number 0 where this revision's list is not on file."""
        authors = self._text(node, POL.authorsAsPrinted)
        year = self._text(node, DCTERMS.issued)[:4] or self._text(node, DCTERMS.modified)[:4]
        parts = [authors.rstrip("."), self._text(node, DCTERMS.title).rstrip("."), year]
        return Reference(
            iri=str(node),
            number=int(self._text(node, POL.number) or 0),
            text=". ".join(part for part in parts if part) or local_name(node),
            doi=self._text(node, BIBO.doi),
        )

    def references(self) -> Iterator[Reference]:
        for node in self.graph.objects(self.iri, POL.listsReference):
            yield self.reference(node)
