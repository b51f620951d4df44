"""The first digests of an edition that was written by hand, from its document; it is a draft until they are read."""

from __future__ import annotations

from pathlib import Path

from rdflib.namespace import RDF

from kb_tools.authoring.policy_files import heading_of, prefix_of, text_of, with_prefix, write
from kb_tools.document.draft import A_DRAFT, PASSAGES, REVISION, first_digests, turtle
from kb_tools.document.passages import passages
from kb_tools.document.trace import Trace, trace_by_place, units_of
from kb_tools.errors import KbError
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.rdf.namespaces import POL
from kb_tools.revisions.seal import MANIFEST as SEAL


def add_digests(policy: Policy, entry: RevisionEntry, document: Path) -> tuple[tuple[Path, ...], int, Trace]:
    """Makes an edition on file that was written by hand a draft, with the digests of its document.

    Returns:
        the files that were changed, how many things are to do, and how the document was paired with the passages.

    Raises:
        KbError: it is frozen, another one is a draft, or its passages stand elsewhere than in passages.ttl; the
            document cannot be read or is of another policy; or a file cannot be written.
    """
    name, folder = f"{policy.identifier}/{entry.name}", policy.revision_folders[entry.name]
    if (folder / SEAL).is_file():
        what = f"{name} is frozen without digests of its document, and a released revision never changes"
        hint = "begin the next edition from its own document, with a later --revision"
        raise KbError(what, where=str(folder), hint=hint)
    if others := [other.name for other in policy.history if other.draft and other.name != entry.name]:
        what = f"{policy.identifier} has a draft already, {others[0]}"
        raise KbError(what, hint="kb draft status lists what is left of it")
    for path in policy.kb.files_in(folder):
        stating = any(p == RDF.type and o == POL.Passage for _, p, o in policy.kb.triples(path))
        if stating and path.name != PASSAGES:
            raise KbError("states passages", where=str(path), hint=f"move them to {folder / PASSAGES}")
    known = passages(policy, entry, with_digest=False)
    found = trace_by_place(policy, entry, document.name, units_of(document, known))
    namespace = f"{policy.iri}/{entry.name}/passage/"
    prefix = next((one for one, stated in policy.own_prefixes.items() if stated == namespace), "")
    changed: dict[Path, str] = {}
    if not prefix:
        prefix = prefix_of(policy, entry.name)
        changed[policy.folder / POLICY_FILE] = with_prefix(policy, prefix, namespace)
    prefixes = {**policy.prefixes, prefix: namespace}
    graph = first_digests(found)
    changed[folder / PASSAGES] = heading_of(folder / PASSAGES) + turtle(graph, prefixes)
    if not entry.draft:
        text = text_of(folder / REVISION)
        text.append(f'<{entry.iri}> pol:toDo "{A_DRAFT}"@en .', prefixes)
        changed[folder / REVISION] = text.text
    to_do = len(list(graph.subject_objects(POL.toDo)))
    write(policy, changed)
    return tuple(changed), to_do, found
