"""Checks of what the revisions of a policy say: what is on file, criteria, references and example cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from rdflib import Graph, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.inputs import MANIFEST
from kb_tools.checks.core import Problem, in_each, name, names, problem_of, relative, revisions
from kb_tools.checks.files import declared_in, other_policy
from kb_tools.checks.holdings import differing, unsaid
from kb_tools.determine.examples import read_manifest
from kb_tools.errors import KbError
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import PARTS, DamagedTree, Revision, parts_of
from kb_tools.model.windows import UnreadableWindow
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import BASE, CASE, CITO, POL, SHAPE
from kb_tools.rdf.terms import local_name


def policy_shapes(kb: Repository) -> Iterator[Problem]:
    """What shapes/policy.ttl finds in the graph of each revision."""
    shapes = kb.graph([kb.root / "shapes/policy.ttl"])
    for policy in kb.policies():
        found: dict[Problem, list[str]] = {}
        for entry in policy.history:
            elsewhere = _said_elsewhere(policy, entry)
            for result in shacl.validate(policy.revision_graph(entry), shapes):
                if (result.focus, result.shape) in elsewhere or result.shape == str(SHAPE["Condition-within"]):
                    continue  # The checks on-file and conditions say more precisely what to do.
                found.setdefault(_violation(kb, policy, result), []).append(entry.name)
        yield from in_each(policy, found)


def _said_elsewhere(policy: Policy, entry: RevisionEntry) -> set[tuple[str, str]]:
    """The shapes of a revision that say what the check on-file says of it too, each with the revision."""
    graph = policy.own_graph(entry)
    missing = unsaid(graph, entry)
    shapes = ["Revision-partOnFile", "Revision-parts"] if missing else []
    if POL.Criteria in {*missing, *differing(graph, entry)}:
        shapes.append("RevisionCriteria")
    return {(entry.iri, str(SHAPE[shape])) for shape in shapes}


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
            # Of a revision that states none although it has them on file, the check on-file says so.
            if entry.criteria_on_file and POL.Criteria not in differing(policy.own_graph(entry), entry):
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
        _ = revision.indications, revision.applicability_tree, revision.conditions
    except UnreadableWindow:
        pass  # The check of the conditions says so.
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
        nodes = sorted({str(node) for kind in _LASTING for node in graph.subjects(RDF.type, kind)})
        for node in nodes:
            if any(revision.name in node for revision in policy.history):
                yield Problem(
                    where, f"{kb.curie(node)} carries a revision in its IRI; drop it, or a diff sees another thing"
                )
        outside: dict[str, list[str]] = {}
        for node in nodes:
            # What stands in the namespace of another policy on file, the check of the prefixes says.
            if not node.startswith((f"{policy.iri}/", f"{BASE}code/")) and not _by_prefix(kb, policy, entry, node):
                outside.setdefault(node.rpartition("/")[0], []).append(node)
        for found in outside.values():
            others = f" and {len(found) - 1} others like it" if len(found) > 1 else ""
            stands, them = ("stands", "it") if len(found) == 1 else ("stand", "them")
            what = f"{kb.curie(found[0])}{others} {stands} outside <{policy.iri}/>"
            yield Problem(where, f"{what}; give {them} an IRI of this policy")


def _by_prefix(kb: Repository, policy: Policy, entry: RevisionEntry, node: str) -> bool:
    """Whether an IRI is named by a prefix of another policy, in the file of a revision that describes it."""
    namespace = f"{node.rpartition('/')[0]}/"
    if not other_policy(kb, policy.identifier, namespace):
        return False
    describing = (
        path
        for path in kb.files_in(policy.revision_folders[entry.name])
        if any(str(s) == node for s, _, _ in kb.triples(path))
    )
    return all(namespace in declared_in(path) for path in describing)


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
        if not policy.history:
            continue  # The check in-force says so.
        folder = policy.cases_folder
        where = relative(kb, folder / MANIFEST)
        expectations = read_manifest(kb, folder)
        graph = kb.graph([folder / MANIFEST])
        listed = set(graph.objects(None, CASE.expects))
        for node in sorted(set(graph.subjects(RDF.type, CASE.Expectation)) - listed, key=str):
            yield Problem(where, f"does not list {name(kb, node)} with case:expects, so it is never run; list it")
        # Of one that does not say whether its criteria are on file, the check on-file says so.
        # Those of a draft are determined as if it were released.
        known = {entry.name for entry in policy.history if entry.bases.get("Criteria") != "NotOnFile"}
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
