"""The first page: which policies there are, what is on file of each, and what is open."""

from __future__ import annotations

from typing import TypedDict

from kb_tools.model.policy import Policy
from kb_tools.serve.pages.history import OnFile, on_file
from kb_tools.serve.pages.open import Discrepancy, discrepancies
from kb_tools.serve.view import InForce, Link, View


class PolicyOnFile(TypedDict):
    """A policy, the revision of it that counts on the day, what is on file, and what is open.

    `open` counts the discrepancies of its document by severity; `toDecide` are the gravest of them.
    """

    policy: Link
    title: str
    inForce: InForce
    revisions: list[OnFile]
    drafts: list[Link]
    open: dict[str, int]
    toDecide: list[Discrepancy]


class Start(TypedDict):
    """The policies on file."""

    title: str
    policies: list[PolicyOnFile]


def data(view: View, target: str) -> Start:
    """The content of the first page."""
    policies = view.bench.policies.values()
    return {"title": "Policies on file", "policies": [_policy(view, policy) for policy in policies]}


def _policy(view: View, policy: Policy) -> PolicyOnFile:
    found = discrepancies(view, policy)
    severities = list(dict.fromkeys(item["severity"] for item in found))
    return {
        "policy": view.link(policy.iri),
        "title": policy.title,
        "inForce": view.in_force(policy),
        "revisions": [on_file(view, entry) for entry in policy.history],
        "drafts": view.links(entry.iri for entry in policy.history if entry.draft),
        "open": {name: sum(item["severity"] == name for item in found) for name in severities},
        "toDecide": [item for item in found if item["severity"] == severities[0]],
    }
