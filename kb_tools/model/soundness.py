"""Which policies can be read, so that one that is broken stops no other."""

from __future__ import annotations

from rdflib import URIRef
from rdflib.namespace import DCTERMS, RDF

from kb_tools.errors import KbError, KnowledgeBaseError
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.model.repository import ONTOLOGY, POLICIES, SHAPES, Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import POL

# What is read of a policy beside its own files and those of its revisions.
_MANIFEST = "cases/manifest.ttl"


def skip_broken(kb: Repository, whole: bool = False) -> dict[str, KbError]:
    """Leave out the policies that cannot be read: whose files are no Turtle, or that have no revision that can be read.

    Args:
        whole: whether the criteria of every revision must be readable too, and the example cases be Turtle.

    Returns:
        all policies that are left out, each with what is wrong with it.

    Raises:
        KbError: there is no policy on file, or none that can be read, or what all share cannot be.
    """
    for policy in [*kb.policies(), *kb.absent]:
        if policy.identifier in kb.skipped:
            continue
        try:
            require_sound(policy, whole)
        except KbError as error:
            skip_or_raise(policy, error)
    return kb.skipped


def skip_unnamed(kb: Repository) -> None:
    """Leave out the policies of which nobody can tell what names them: see `require_named`.

    Raises:
        KbError: there is no policy on file, or of none it can be told.
    """
    for policy in [*kb.policies(), *kb.absent]:
        if policy.identifier in kb.skipped:
            continue
        try:
            require_named(policy)
        except KbError as error:
            skip_or_raise(policy, error)


def skip_or_raise(policy: Policy, error: KbError) -> None:
    """Leave out a policy for what is wrong with it, where that is its own fault and there are others.

    Raises:
        KbError: the error itself, where not.
    """
    folder = str(policy.folder)
    others = [other for other in policy.kb.policy_folders if other != policy.folder]
    if not (error.where + "/").startswith(f"{folder}/") or not others:
        raise error
    policy.kb.skip(policy.identifier, error)


def require_sound(policy: Policy, whole: bool = False) -> None:
    """Read a policy, as `skip_broken` does.

    Raises:
        KbError: it cannot be read; the error names the file.
    """
    kb = policy.kb
    if kb.has_several:
        require_named(policy)
    if not policy.revision_folders:
        raise policy.without_revisions()
    folders = (policy.folder, *policy.revision_folders.values())
    paths = [path for folder in folders for path in kb.files_in(folder)]
    paths += [path for kind in (ONTOLOGY, SHAPES) for path in kb.files(f"{POLICIES}/{policy.identifier}/{kind}")]
    if whole:
        paths = kb.files(f"policies/{policy.identifier}")
    elif kb.has(policy.folder / _MANIFEST):
        paths.append(policy.folder / _MANIFEST)
    for path in paths:
        kb.triples(path)
    for entry in policy.history:
        if whole and entry.criteria_on_file:
            revision = Revision.load(policy, entry)
            _ = revision.conditions, revision.criteria_tree, revision.applicability_tree


def require_named(policy: Policy) -> None:
    """Read what a policy is and what names it; without criteria on file, nothing need name it.

    Raises:
        KbError: its policy.ttl cannot be read, says of no policy that it is one, or does not say what names it.
    """
    path, iri = policy.folder / POLICY_FILE, URIRef(policy.iri)
    if not policy.kb.has(path):
        what = "there is no such file, so nobody can tell which cases name the policy"
        raise KnowledgeBaseError(what, where=str(path), hint="restore it, or remove its folder")
    said = policy.kb.graph([path])
    if (iri, RDF.type, POL.Policy) not in said or (iri, DCTERMS.title, None) not in said:
        what = f"does not say that {policy.kb.curie(policy.iri)} is a policy with a title"
        raise KnowledgeBaseError(what, where=str(path), hint="restore it, or state pol:Policy and dcterms:title")
    if not policy.named_by and any(entry.criteria_on_file for entry in policy.history):
        what = "is named by no service and no code, so no case finds it"
        raise KnowledgeBaseError(what, where=str(path), hint="add pol:namedBy")
