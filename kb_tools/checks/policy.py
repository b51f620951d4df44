"""Checks of what the revisions of a policy say: what is on file, criteria, references and example cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from rdflib import Graph, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.inputs import MANIFEST
from kb_tools.checks.core import Problem, in_each, name, names, problem_of, relative, revisions
from kb_tools.determine.examples import read_manifest
from kb_tools.errors import KbError
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import PARTS, DamagedTree, Revision, parts_of
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import BASE, CASE, CITO, POL
from kb_tools.rdf.terms import local_name


def policy_shapes(kb: Repository) -> Iterator[Problem]:
    """What shapes/policy.ttl finds in the graph of each revision."""
    shapes = kb.graph([kb.root / "shapes/policy.ttl"])
    for policy in kb.policies():
        found: dict[Problem, list[str]] = {}
        for entry in policy.history:
            for result in shacl.validate(policy.revision_graph(entry), shapes):
                found.setdefault(_violation(kb, policy, result), []).append(entry.name)
        yield from in_each(policy, found)


def _violation(kb: Repository, policy: Policy, result: shacl.ShaclResult) -> Problem:
    """A result of SHACL in CURIEs; on an unnamed node, in the policy's folder."""
    named = result.focus.startswith("http")
    parts = [kb.curie(term) if term.startswith("http") else term for term in (result.path, result.value) if term]
    shape = kb.curie(result.shape) if result.shape.startswith("http") else "an unnamed shape"
    return Problem(
        kb.curie(result.focus) if named else relative(kb, policy.folder),
        f"{'' if named else 'an unnamed node: '}{' '.join((*parts, result.message))} [{shape}]",
    )


# ---------------------------------------------------------------------- what is on file

# What a revision says where a part of it is known, as properties of the revision.
_SAYS = {
    POL.Criteria: {POL.indication, POL.limitation, POL.exclusion, POL.remainder, POL.appliesWhen},
    POL.DispositionPart: {POL.disposition},
    POL.Codes: {POL.lists},
    POL.References: {POL.listsReference},
    POL.Evidence: {POL.reports},
}


def on_file(kb: Repository) -> Iterator[Problem]:
    """Parts of a revision that are marked as known but not stated, or stated but marked as not known."""
    for policy, entry, where in revisions(kb):
        graph = policy.own_graph(entry)
        stated = {part for part, links in _SAYS.items() if links & set(graph.predicates(URIRef(entry.iri)))}
        if (None, RDF.type, POL.Definition) in graph:
            stated.add(POL.Definitions)
        held: dict[Node | None, list[Node | None]] = {}
        for holding in graph.objects(URIRef(entry.iri), POL.partOnFile):
            held.setdefault(graph.value(holding, POL.part), []).append(graph.value(holding, POL.basis))
        for part in (*_SAYS, POL.Definitions):
            bases = held.get(part, [])
            if len(bases) != 1:
                yield Problem(where, f"says {len(bases)} times on what basis {name(kb, part)} is held; say it once")
            elif (bases[0] != POL.NotOnFile) != (part in stated):
                does = "states" if part in stated else "does not state"
                yield Problem(
                    where,
                    f"{does} {name(kb, part)}, held as {names(kb, [basis for basis in bases if basis])}; correct one",
                )


def inferences(kb: Repository) -> Iterator[Problem]:
    """Parts inferred backwards that do not name a document on file and every log row between it and the revision."""
    for policy, entry, where in revisions(kb):
        graph = policy.own_graph(entry)
        for holding in graph.objects(URIRef(entry.iri), POL.partOnFile):
            if graph.value(holding, POL.basis) == POL.InferredFromLog:
                part = graph.value(holding, POL.part)
                yield from (
                    Problem(where, f"{names(kb, [part] if part else [])} {message}")
                    for message in _inference_problems(
                        kb, policy, entry, part, set(graph.objects(holding, POL.inferredFrom))
                    )
                )


def _inference_problems(
    kb: Repository, policy: Policy, entry: RevisionEntry, part: Node | None, basis: set[Node]
) -> Iterator[str]:
    sources = [source for source in policy.history if URIRef(source.iri) in basis]
    if len(sources) != 1 or sources[0].bases.get(local_name(part)) != "DocumentOnFile":
        yield "is inferred, and not from one revision whose document is on file; name that one in pol:inferredFrom"
        return
    if part == POL.Criteria and policy.own_graph(entry).value(URIRef(entry.iri), POL.criteriaAsIn) != URIRef(
        sources[0].iri
    ):
        yield f"is inferred from {sources[0].name}, which pol:criteriaAsIn does not name; make them agree"
    between = {
        URIRef(other.row.iri) for other in policy.history if other.row and entry.month < other.month <= sources[0].month
    }
    if between - basis:
        yield f"is inferred across {names(kb, between - basis)}, not named by pol:inferredFrom; read and name them"


# ---------------------------------------------------------------------- criteria


def criteria(kb: Repository) -> Iterator[Problem]:
    """Revisions on file whose criteria cannot be read, or would be read in part."""
    malformed = [problem for policy, entry, where in revisions(kb) for problem in _malformed(kb, policy, entry, where)]
    yield from malformed
    if not malformed:
        for policy, entry, where in revisions(kb):
            if entry.criteria_on_file:
                yield from _unreadable(kb, policy, entry, where)


def _malformed(kb: Repository, policy: Policy, entry: RevisionEntry, where: str) -> Iterator[Problem]:
    """What is wrong with the trees of a revision's own graph; to read them could take for ever."""
    graph = policy.own_graph(entry)
    trees = {node for link in PARTS for node in graph.subjects(link, None)}
    for node in sorted(trees, key=str):
        yield from (Problem(where, message) for message in _tree_problems(kb, graph, node))


def _tree_problems(kb: Repository, graph: Graph, node: Node) -> Iterator[str]:
    """One operator with one list that is not empty, and a count that can be reached.

    Of more only one would be read, and an empty allOf always holds.
    """
    try:
        parts_of(graph, node)
        if node in _below(graph, node, set()):
            yield f"{name(kb, node)} is a part of itself; correct the tree"
    except DamagedTree as damage:
        yield f"{name(kb, node)} {damage}"


def _below(graph: Graph, node: Node, seen: set[Node]) -> set[Node]:
    """Every part of a tree, and their parts; of one that is damaged, none: it is reported by itself."""
    with suppress(DamagedTree):
        found = parts_of(graph, node)
        for part in set(found.nodes if found else ()) - seen:
            seen.add(part)
            _below(graph, part, seen)
    return seen


def _unreadable(kb: Repository, policy: Policy, entry: RevisionEntry, where: str) -> Iterator[Problem]:
    """Whatever keeps a revision from being read as kb reads it to determine a case."""
    revision = Revision.load(policy, entry)
    try:
        _ = revision.indications, revision.conditions
    except KbError as error:
        yield problem_of(kb, error, where)


# Statements whose IRIs stay the same from revision to revision.
_LASTING = (
    POL.Criterion, POL.Applicability, POL.Indication, POL.Limitation, POL.Exclusion, POL.Remainder,
    POL.Definition, POL.Code, POL.Reference, POL.EvidenceStatement, POL.Advisory,
)  # fmt: skip


def stable_iris(kb: Repository) -> Iterator[Problem]:
    """Criteria, codes, references and the like whose IRI names a revision, or stands in another policy's namespace."""
    for policy, entry, where in revisions(kb):
        graph = policy.own_graph(entry)
        for node in sorted({str(node) for kind in _LASTING for node in graph.subjects(RDF.type, kind)}):
            if any(revision.name in node for revision in policy.history):
                yield Problem(
                    where, f"{kb.curie(node)} carries a revision in its IRI; drop it, or a diff sees another thing"
                )
            if not node.startswith((f"{policy.iri}/", f"{BASE}code/")):
                yield Problem(where, f"{kb.curie(node)} stands outside <{policy.iri}/>; give it an IRI of this policy")


# ---------------------------------------------------------------------- references


def reference_numbers(kb: Repository) -> Iterator[Problem]:
    """Lists of references whose numbers are not 1 to n, each once."""
    for policy, entry, where in revisions(kb):
        graph = policy.own_graph(entry)
        listed = set(graph.objects(URIRef(entry.iri), POL.listsReference))
        numbers = [str(number) for reference in listed for number in graph.objects(reference, POL.number)]
        wanted = [str(number) for number in range(1, len(listed) + 1)]
        wrong = sorted(
            {*(number for number in numbers if numbers.count(number) > 1), *(set(numbers) ^ set(wanted))},
            key=_as_number,
        )
        if wrong:
            yield Problem(
                where,
                f"lists {len(listed)} references, whose numbers are wrong at {', '.join(wrong)}; number them 1 to n",
            )


def _as_number(text: str) -> tuple[int, str]:
    return (int(text) if text.isdecimal() else 0, text)


def citations(kb: Repository) -> Iterator[Problem]:
    """Works cited that neither the revision's list nor that of the revision with its criteria holds."""
    for policy, entry, where in revisions(kb):
        graph = policy.own_graph(entry)
        listed = set(graph.objects(URIRef(entry.iri), POL.listsReference))
        source = graph.value(URIRef(entry.iri), POL.criteriaAsIn)
        if source is not None:
            listed |= set(policy.own_graph(policy.entry(str(source))).objects(source, POL.listsReference))
        for subject, cited in sorted(graph.subject_objects(CITO.citesAsEvidence), key=str):
            if cited not in listed:
                yield Problem(
                    where,
                    f"{name(kb, subject)} cites {name(kb, cited)}, which is not in the list of references; "
                    "list it or correct the citation",
                )


# ---------------------------------------------------------------------- example cases


def examples(kb: Repository) -> Iterator[Problem]:
    """Example cases that no expectation names, and expectations that are never run or cannot be."""
    for policy in kb.policies():
        folder = policy.cases_folder
        where = relative(kb, folder / MANIFEST)
        expectations = read_manifest(kb, folder)
        graph = kb.graph([folder / MANIFEST])
        listed = set(graph.objects(None, CASE.expects))
        for node in sorted(set(graph.subjects(RDF.type, CASE.Expectation)) - listed, key=str):
            yield Problem(where, f"does not list {name(kb, node)} with case:expects, so it is never run; list it")
        known = {entry.name for entry in policy.history if entry.criteria_on_file}
        for expectation in expectations:
            if not expectation.path.is_file():
                yield Problem(
                    where,
                    f"{expectation.name} names the file {expectation.path.name}, which is not there; "
                    "correct case:inFile",
                )
            if expectation.revision not in known:
                yield Problem(
                    where,
                    f"{expectation.name} names revision {expectation.revision}, whose criteria are not on file; "
                    "name another",
                )
        for path in sorted(
            set(folder.rglob("*.ttl")) - {expectation.path for expectation in expectations} - {folder / MANIFEST}
        ):
            yield Problem(
                relative(kb, path), "is named by no expectation of the manifest; say what the case must come to"
            )
