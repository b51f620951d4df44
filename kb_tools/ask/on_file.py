"""What an answer rests on: which parts of the revisions that it reads are on file, inferred, or not on file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyoxigraph as ox

from kb_tools.ask.sparql import BASE
from kb_tools.model.statements import ROLES

if TYPE_CHECKING:
    from kb_tools.ask.names import Names
    from kb_tools.model.history import RevisionEntry
    from kb_tools.model.policy import Policy

POL = BASE + "policy#"
# Stands for every part that a revision has.
ALL = "all"
# How many revisions a line names.
_LISTED = 12


@dataclass(frozen=True)
class Basis:
    """What is to be said of the parts that an answer reads.

    Attributes:
        lines: what is not on file, or in part, what is inferred, and which revisions are drafts; nothing of what is on
            file.
        missing: "all" if each revision lacks a part, so that no rows mean nothing; "some" if some do; else "".
    """

    lines: tuple[str, ...]
    missing: str


def basis_of(names: Names, parts: Collection[str], revisions: Sequence[tuple[Policy, RevisionEntry]]) -> Basis:
    """What is on file of the parts of some revisions.

    Args:
        names: gives the labels of parts.
        parts: as the prefix table shortens them ("pol:Codes"), or ALL.
    """
    drafts = [_name(policy, entry) for policy, entry in revisions if entry.draft]
    released = [(policy, entry) for policy, entry in revisions if not entry.draft]
    # By basis and the parts that have it: the revisions of which that is so.
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    lacking = 0
    for policy, entry in released:
        wanted = entry.bases if ALL in parts else [part.removeprefix("pol:") for part in parts]
        for basis in ("NotOnFile", "InferredFromLog"):
            having = tuple(sorted(part for part in wanted if entry.bases.get(part, "NotOnFile") == basis))
            if having:
                groups.setdefault((basis, having), []).append(_name(policy, entry))
                lacking += basis == "NotOnFile"
    lines = []
    if {ALL, "pol:Criteria"} & set(parts) and len(released) == 1:
        ((policy, entry),) = released
        if entry.criteria_on_file and not _states_criteria(names, entry):
            what = f"not stated: the criteria of {_name(policy, entry)}, although it holds them as on file"
            lines.append(f"{what}; kb check --policy {policy.identifier} says what to do")
            lacking = 1
    lines += [
        f"{names.label(POL + basis)}: {', '.join(sorted(names.label(POL + part) for part in having))} of {_list(named)}"
        for (basis, having), named in sorted(groups.items(), key=lambda group: group[0][0], reverse=True)
    ]
    in_part: dict[tuple[str, ...], list[str]] = {}
    for policy, entry in released:
        if known := tuple(part for part in entry.in_part if ALL in parts or f"pol:{part}" in parts):
            in_part.setdefault(known, []).append(_name(policy, entry))
    lines += [
        f"on file in part: {', '.join(names.label(POL + part) for part in known)} of {_list(named)}"
        for known, named in sorted(in_part.items())
    ]
    if drafts:
        lines.append(f"{'a draft' if len(drafts) == 1 else 'drafts'}, in force on no date: {_list(drafts)}")
    return Basis(tuple(lines), "" if not lacking else "all" if lacking == len(released) else "some")


def _states_criteria(names: Names, entry: RevisionEntry) -> bool:
    """Whether the graph of a revision names any criterion; read from the store: a query may open no file."""
    node = ox.NamedNode(entry.iri)
    links = (ox.NamedNode(str(link)) for link in ROLES.values())
    return any(next(names.store.quads_for_pattern(node, link, None, node), None) is not None for link in links)


def _name(policy: Policy, entry: RevisionEntry) -> str:
    return f"{policy.identifier}/{entry.name}"


def _list(names: Sequence[str]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")
