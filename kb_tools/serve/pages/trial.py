"""Trying a case: what it can say, under which revisions it can be determined, and examples to begin with."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TypedDict

from kb_tools.cases.form import CaseForms
from kb_tools.errors import KbError, UnknownRevision, did_you_mean
from kb_tools.model.policy import Policy
from kb_tools.rdf.namespaces import BASE
from kb_tools.serve.case.form import Section, section
from kb_tools.serve.pages.examples import sentence
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench


class Choice(TypedDict):
    """Something to choose: its value in an address or a form, and what it is called."""

    value: str
    label: str


class Choices(TypedDict):
    """What is chosen from together: the revisions of a policy, or the examples of an outcome."""

    label: str
    choices: list[Choice]


class Try(TypedDict):
    """The form of a case. Of `revisions` the first of a policy stands for that in force on the service date."""

    title: str
    revisions: list[Choices]
    examples: list[Choices]
    form: Section


def data(view: View, target: str) -> Try:
    """The content of the page on which a case is tried.

    Args:
        target: the revision chosen, as "CP.MP.101/2026-02"; "" for that in force on the service date.
    """
    bench = view.bench
    policy, name = chosen_revision(bench, target)
    try:
        asking: str | None = (policy.entry(name) if name else policy.in_force(view.day).revision).iri
    except UnknownRevision:
        asking = None
    return {
        "title": "Try a case",
        "revisions": [_revisions(policy, bench) for policy in bench.policies.values()],
        "examples": _examples(bench),
        "form": _form(bench, asking),
    }


def chosen_revision(bench: Workbench, chosen: str) -> tuple[Policy, str | None]:
    """The policy and the name of the revision that a choice stands for; None for that in force on the service date.

    Raises:
        KbError: there is no such policy, or no such revision whose criteria are on file.
    """
    identifier, _, name = chosen.partition("/")
    policy = bench.kb.policy(identifier or next(iter(bench.policies.values())).identifier)
    return policy, policy.require_criteria(policy.entry(name)).name if name else None


def example(bench: Workbench, named: str) -> Path:
    """The file of an example case.

    Raises:
        KbError: there is none of that name.
    """
    paths = {
        f"{policy.identifier}/{expectations[0].path.stem}": expectations[0].path
        for policy, expectations in bench.examples.values()
    }
    if named not in paths:
        raise KbError(f"no example case {named!a}", hint=did_you_mean(named, paths) or "choose one on the page")
    return paths[named]


@cache
def _form(bench: Workbench, asking: str | None) -> Section:
    """The form, with what a revision asks for beside its fields."""
    codes = {bench.kb.curie(iri): bench.label(iri) for iri in bench.ours if iri.startswith(f"{BASE}code/")}
    return section(CaseForms(bench.kb), bench.revision(asking) if asking else None, codes)


def _revisions(policy: Policy, bench: Workbench) -> Choices:
    several = len(bench.policies) > 1
    found: list[Choice] = [{"value": policy.identifier if several else "", "label": "in force on the service date"}]
    for entry in reversed(policy.history):
        if entry.criteria_on_file:
            found.append({"value": f"{policy.identifier}/{entry.name}", "label": f"revision {entry.name}"})
    return {"label": policy.identifier, "choices": found}


@cache
def _examples(bench: Workbench) -> list[Choices]:
    """The example cases by the outcome that each comes to under the latest revision that it is an example of."""
    found: dict[str, list[Choice]] = {}
    for policy, expectations in bench.examples.values():
        latest = max(expectations, key=lambda expected: expected.revision)
        name = latest.path.stem
        outcome = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", latest.outcome).capitalize()
        found.setdefault(outcome, []).append({"value": f"{policy.identifier}/{name}", "label": sentence(name)})
    return [{"label": outcome, "choices": choices} for outcome, choices in sorted(found.items())]
