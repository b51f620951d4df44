"""Two revisions of a policy compared, and the page on which they are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import combinations, pairwise
from typing import TypedDict

from kb_tools.errors import KbError
from kb_tools.model.history import RevisionEntry
from kb_tools.model.parts import BASES
from kb_tools.model.policy import Policy
from kb_tools.render.diff import document
from kb_tools.render.diff_sheets import workbook
from kb_tools.render.page import markdown
from kb_tools.revisions.compare import comparable, entries_of
from kb_tools.serve.comparisons import Compared as Made
from kb_tools.serve.pages.compared import Compared, Shown
from kb_tools.serve.view import Link, NoPage, View
from kb_tools.serve.workbench import Workbench

# Names of revisions that are near to one that is not known.
_NEAR = 5


class Pairing(TypedDict):
    """Two revisions that can be compared, and the path of the page that does."""

    before: Link
    after: Link
    path: str


class Choice(TypedDict):
    """A revision that can be chosen. `says` is what its criteria rest on, and whether it is a draft."""

    revision: Link
    name: str
    says: str


class Comparisons(TypedDict):
    """Which revisions of a policy can be compared; `pairs` are those that follow each other.

    `others` compare its latest revision with that of another policy on the same service.
    """

    title: str
    policy: Link
    path: str
    choices: list[Choice]
    pairs: list[Pairing]
    others: list[Pairing]


class Comparison(TypedDict):
    """Two revisions compared. `cannot` says why they cannot be; then `compared` is null.

    `turned` is the path of the page that compares them the other way round.
    """

    title: str
    policy: Link
    path: str
    before: Choice
    after: Choice
    choices: list[Choice]
    turned: str
    cannot: str
    compared: Compared | None


# ---------------------------------------------------------------------- addresses


def path_of(policy: Policy, before: str, after: str) -> str:
    """The path of the comparison of two revisions, by their names."""
    return f"/{policy.identifier}/compare/{before}/{after}"


def neighbours(policy: Policy) -> list[tuple[RevisionEntry, RevisionEntry]]:
    """The revisions that can be compared, each with the next one."""
    return list(pairwise(entry for entry in policy.history if comparable(entry)))


def pairings(view: View, policy: Policy) -> list[Pairing]:
    """The same as JSON values."""
    return [
        {"before": view.link(old.iri), "after": view.link(new.iri), "path": path_of(policy, old.name, new.name)}
        for old, new in neighbours(policy)
    ]


def policy_named(bench: Workbench, identifier: str) -> Policy:
    """The policy of that identifier.

    Raises:
        NoPage: there is none; the error names those that are near.
    """
    known = {policy.identifier: policy for policy in bench.policies.values()}
    if identifier not in known:
        near = get_close_matches(identifier, known, _NEAR)
        raise NoPage(f"there is no policy {identifier}", [known[name].iri for name in near])
    return known[identifier]


def pair_named(bench: Workbench, target: str) -> tuple[Policy, RevisionEntry, RevisionEntry]:
    """The policy and the two revisions that "CP.MP.101/2019-10/2026-02" names.

    Raises:
        NoPage: there is no such policy or revision; the error names those that are near.
    """
    identifier, *names = target.split("/")
    policy = policy_named(bench, identifier)
    known = {entry.name: entry for entry in policy.history}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, _NEAR) or list(known)[-_NEAR:]
            what = f"{identifier} has no revision {name}"
            raise NoPage(what, [known[close].iri for close in near], f"known: {', '.join(known)}")
    before, after = names
    return policy, known[before], known[after]


def obstacle(policy: Policy, before: RevisionEntry, after: RevisionEntry) -> str:
    """Why two revisions cannot be compared; "" where they can."""
    try:
        entries_of(policy, before.name, after.name)
    except KbError as error:
        return f"{error.what}; {error.hint}"
    return ""


# ---------------------------------------------------------------------- pages


def choose(view: View, target: str) -> Comparisons:
    """The content of the page on which two revisions are chosen."""
    policy = policy_named(view.bench, target)
    return {
        "title": f"{policy.identifier}: compare two revisions",
        "policy": view.link(policy.iri),
        "path": f"/{policy.identifier}/compare",
        "choices": _choices(view, policy),
        "pairs": pairings(view, policy),
        "others": pairings_across(view, policy),
    }


def across(bench: Workbench) -> Iterator[tuple[Policy, RevisionEntry, Policy, RevisionEntry]]:
    """Every two policies on a service that both name, each pair once: each with its latest revision on file."""
    for first, second in combinations(bench.policies.values(), 2):
        old, new = _latest(first), _latest(second)
        if old and new and first.named_by & second.named_by:
            yield first, old, second, new


def pairings_across(view: View, policy: Policy) -> list[Pairing]:
    """Those of which the one is this policy."""
    return [
        {
            "before": view.link(old.iri),
            "after": view.link(new.iri),
            "path": path_between(first, old.name, second, new.name),
        }
        for first, old, second, new in across(view.bench)
        if policy.iri in (first.iri, second.iri)
    ]


def _latest(policy: Policy) -> RevisionEntry | None:
    """The latest released revision that can be compared."""
    return next((entry for entry in reversed(policy.released) if comparable(entry)), None)


def path_between(first: Policy, before: str, second: Policy, after: str) -> str:
    """The path of the comparison of two policies."""
    return f"/compare/{first.identifier}/{before}/{second.identifier}/{after}"


def as_markdown(view: View, target: str) -> bytes:
    """The comparison as `kb diff --format markdown` writes it."""
    return markdown(document(_made(view.bench, target).diff)).encode()


def as_spreadsheet(view: View, target: str) -> bytes:
    """The comparison as `kb diff --format xlsx` writes it."""
    return workbook(_made(view.bench, target).diff)


def data(view: View, target: str) -> Comparison:
    """The content of the page of a comparison."""
    policy, before, after = pair_named(view.bench, target)
    cannot = obstacle(policy, before, after)
    return {
        "title": f"{policy.identifier}: {before.name} compared with {after.name}",
        "policy": view.link(policy.iri),
        "path": f"/{policy.identifier}/compare",
        "before": _choice(view, before),
        "after": _choice(view, after),
        "choices": _choices(view, policy),
        "turned": path_of(policy, after.name, before.name),
        "cannot": cannot,
        "compared": None if cannot else Shown(view, _made(view.bench, target)).content(),
    }


def _made(bench: Workbench, target: str) -> Made:
    """The comparison itself.

    Raises:
        KbError: the two cannot be compared.
    """
    policy, before, after = pair_named(bench, target)
    entries_of(policy, before.name, after.name)
    return bench.comparisons.of(policy, before.name, after.name).result()


def _choices(view: View, policy: Policy) -> list[Choice]:
    """Those that can be compared."""
    return [_choice(view, entry) for entry in policy.history if comparable(entry)]


def _choice(view: View, entry: RevisionEntry) -> Choice:
    basis = BASES[entry.bases.get("Criteria", "NotOnFile")]
    says = f"{'draft; ' if entry.draft else ''}criteria: {basis}"
    return {"revision": view.link(entry.iri), "name": entry.name, "says": says}
