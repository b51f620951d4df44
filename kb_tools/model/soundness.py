"""Which policies can be read, so that one that is broken stops no other."""

from __future__ import annotations

from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import ONTOLOGY, POLICIES, SHAPES, Repository
from kb_tools.model.revision import Revision

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
    for policy in list(kb.policies()):
        try:
            require_sound(policy, whole)
        except KbError as error:
            skip_or_raise(policy, error)
    return kb.skipped


def skip_or_raise(policy: Policy, error: KbError) -> None:
    """Leave out a policy for what is wrong with it, where that is its own fault and there are others.

    Raises:
        KbError: the error itself, where not.
    """
    folder = str(policy.folder)
    if not (error.where + "/").startswith(f"{folder}/") or len(policy.kb.policy_folders) == 1:
        raise error
    policy.kb.skip(policy.identifier, error)


def require_sound(policy: Policy, whole: bool = False) -> None:
    """Read a policy, as `skip_broken` does.

    Raises:
        KbError: it cannot be read; the error names the file.
    """
    kb = policy.kb
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
