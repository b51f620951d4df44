"""Trying a case: what it can say, under which revisions it can be determined, and examples to begin with."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypedDict

from kb_tools.cases.form import CaseForms
from kb_tools.determine.conclude import decides_outcome
from kb_tools.determine.examples import Expectation
from kb_tools.determine.result import Outcome
from kb_tools.errors import KbError, UnknownRevision, did_you_mean
from kb_tools.model.logic import Value, evaluate
from kb_tools.model.policy import Policy
from kb_tools.rdf.namespaces import BASE, POL
from kb_tools.render.determination_text import TITLES
from kb_tools.serve.case.fields import Fields
from kb_tools.serve.case.form import Section, section
from kb_tools.serve.pages.compare import obstacle, pair_named, path_between, path_of
from kb_tools.serve.pages.examples import sentence
from kb_tools.serve.pages.policies_compared import sides_named
from kb_tools.serve.view import Link, NoPage, View
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
    """The form of a case.

    Of `revisions` the first of a policy stands for that in force on the service date. Where several policies are on
    file, the first of all, without a value, stands for the one that the case names.
    """

    title: str
    revisions: list[Choices]
    examples: list[Choices]
    form: Section


def data(view: View, target: str) -> Try:
    """The content of the page on which a case is tried.

    Args:
        target: the revision chosen, as "CP.MP.101/2026-02", or a policy, for that in force on the service date; "" for
            the policy that the case names.
    """
    bench = view.bench
    policy, name = chosen_revision(bench, target)
    asks = policy or _meant(bench)
    asking: str | None = None
    # Without a policy, and without a revision in force, nothing is asked.
    with suppress(UnknownRevision):
        asking = (asks.entry(name) if name else asks.in_force(view.day).revision).iri if asks else None
    return {
        "title": "Try a case",
        "revisions": [*_unasked(bench), *(_revisions(policy, bench) for policy in bench.policies.values())],
        "examples": _examples(bench, policy.identifier if policy else ""),
        "form": _form(bench, asking),
    }


def _meant(bench: Workbench) -> Policy | None:
    """The only policy, or the one that KB_POLICY names; None where each case names its own."""
    return bench.kb.preferred or (None if bench.kb.has_several else next(iter(bench.policies.values())))


def chosen_revision(bench: Workbench, chosen: str) -> tuple[Policy | None, str | None]:
    """The policy that a choice stands for, and the name of the revision.

    Without a policy, the case is of the one that it names; without a revision, under that in force on its service date.

    Raises:
        KbError: there is no such policy, or no such revision whose criteria are on file.
    """
    identifier, _, name = chosen.partition("/")
    policy = bench.kb.policy(identifier) if identifier else None
    return policy, policy.require_criteria(policy.entry(name)).name if policy and name else None


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


class Witness(TypedDict):
    """A case that a comparison made, for one direction of its verdict: what it comes to before and after."""

    path: str
    direction: str
    before: Link
    after: Link
    outcomes: list[Link]


def witness(view: View, named: str) -> tuple[str, Witness]:
    """The case, as Turtle, that shows why a revision is looser or stricter than another.

    Args:
        named: the comparison and the direction, as "CP.MP.101/2019-10/2026-02/looser".

    Raises:
        NoPage: there is no such comparison, or it has no such case.
        Busy: too many others are being made.
    """
    target, _, direction = named.rpartition("/")
    if target.count("/") == 3:
        return _witness_between(view, target, direction)
    if target.count("/") != 2:
        raise NoPage(f"no witness {named!a}", hint="open one on the page of a comparison")
    policy, before, after = pair_named(view.bench, target)
    if why := obstacle(policy, before, after):
        raise NoPage(why)
    made = view.bench.comparisons.of(policy, before.name, after.name).result()
    for found in made.diff.verdict.witnesses:
        if found.direction.value == direction and found.direction in made.witnesses:
            outcomes = view.links(str(POL[outcome.value]) for outcome in (found.before, found.after))
            return made.witnesses[found.direction], {
                "path": f"{path_of(policy, before.name, after.name)}#witness-{direction}",
                "direction": direction,
                "before": view.link(before.iri),
                "after": view.link(after.iri),
                "outcomes": outcomes,
            }
    raise NoPage(f"this comparison has no witness {direction!a}", hint="open one on the page of a comparison")


def _witness_between(view: View, target: str, name: str) -> tuple[str, Witness]:
    """The same of two policies: a case that fails what only one of them requires.

    Args:
        target: the comparison, as "CP.MP.101/2026-02/CG-TRANS-03/2024-10".
        name: of the requirement, as "looser-5".
    """
    first, before, second, after = sides_named(view.bench, target)
    made = view.bench.comparisons.of(first, before, after, second).result()
    for found in made.diff.contrasts:
        if found.name == name and found.witness and name in made.shown:
            return made.shown[name], {
                "path": f"{path_between(first, before, second, after)}#{name}",
                "direction": found.witness.direction.value,
                "before": view.link(made.diff.old.entry.iri),
                "after": view.link(made.diff.new.entry.iri),
                "outcomes": view.links(
                    str(POL[outcome.value]) for outcome in (found.witness.before, found.witness.after)
                ),
            }
    raise NoPage(f"this comparison has no witness {name!a}", hint="open one on the page of a comparison")


@cache
def _form(bench: Workbench, asking: str | None) -> Section:
    """The form, with what a revision asks for beside its fields."""
    codes = {bench.kb.curie(iri): bench.label(iri) for iri in _codes(bench)}
    return section(CaseForms(bench.kb), bench.revision(asking) if asking else None, codes)


def _codes(bench: Workbench) -> list[str]:
    return [iri for iri in bench.ours if iri.startswith(f"{BASE}code/")]


@cache
def _by_number(bench: Workbench) -> dict[str, str]:
    """The codes on file as a case states them, each by its number, where no other code has the same."""
    found: dict[str, list[str]] = {}
    for iri in _codes(bench):
        found.setdefault(bench.notation(iri), []).append(bench.kb.curie(iri))
    return {number: codes[0] for number, codes in found.items() if len(codes) == 1}


@cache
def _code_keys(bench: Workbench) -> frozenset[str]:
    """The last part of the names of the fields that take codes."""
    forms = CaseForms(bench.kb).forms.values()
    return frozenset(key.name for form in forms for key in form.keys.values() if key.is_code)


def with_codes(bench: Workbench, fields: Fields) -> dict[str, list[str]]:
    """The fields of a form, in which a code on file that is given by its number alone has its system too."""
    known, keys = _by_number(bench), _code_keys(bench)
    return {
        name: [known.get(value.strip(), value) for value in values] if name.rpartition(".")[2] in keys else list(values)
        for name, values in fields.items()
    }


def _unasked(bench: Workbench) -> list[Choices]:
    """Where several policies are on file: that none is chosen, and which is then meant."""
    if not bench.kb.has_several:
        return []
    meant = bench.kb.preferred
    label = f"{meant.identifier}, unless the case states another payer" if meant else "the policy that the case names"
    return [{"label": "", "choices": [{"value": "", "label": label}]}]


def _revisions(policy: Policy, bench: Workbench) -> Choices:
    several = bench.kb.has_several
    found: list[Choice] = [{"value": policy.identifier if several else "", "label": "in force on the service date"}]
    for entry in reversed(policy.history):
        if entry.criteria_on_file:
            found.append({"value": f"{policy.identifier}/{entry.name}", "label": f"revision {entry.name}"})
    return {"label": policy.identifier, "choices": found}


@cache
def _examples(bench: Workbench, chosen: str) -> list[Choices]:
    """The example cases by what each comes to under the latest revision that it is an example of, and by what decides.

    The groups stand in the order of policies, then of outcomes, and those of one in that of criteria.

    Args:
        chosen: the policy whose examples they are; "" for those of all.
    """
    found: dict[tuple[str, int, str], list[Choice]] = {}
    of_policy = [one for one in bench.examples.values() if chosen in ("", one[0].identifier)]
    several = len({policy.identifier for policy, _ in of_policy}) > 1
    for policy, expectations in of_policy:
        latest = max(expectations, key=lambda expected: expected.revision)
        name = latest.path.stem
        outcome = Outcome(latest.outcome)
        deciding = "; ".join(_deciding(bench, f"{policy.iri}/{latest.revision}", latest))
        label = f"{TITLES[outcome].capitalize()}{f': {deciding}' if deciding else ''}"
        label = f"{policy.identifier}: {label}" if several else label
        choice: Choice = {"value": f"{policy.identifier}/{name}", "label": sentence(name)}
        found.setdefault((policy.identifier, list(Outcome).index(outcome), label), []).append(choice)
    return [{"label": label, "choices": choices} for (*_, label), choices in sorted(found.items())]


def _deciding(bench: Workbench, revision: str, expected: Expectation) -> list[str]:
    """The places of the criteria that make an example case come to what it does, or that leave it open."""
    outcome = Outcome(expected.outcome)
    places = []
    stated = bench.revision(revision)
    ways = {iri: evaluate(way, expected.values) for iri, way in stated.ways.items()}
    for criterion in stated.criteria:
        if criterion.tree is None:
            continue
        value = evaluate(criterion.tree, expected.values)
        kept_open = {Outcome.NEEDED: Value.UNKNOWN, Outcome.CONFLICTING: Value.CONFLICTING}.get(outcome)
        turned_away = outcome is not Outcome.MET and decides_outcome(stated, criterion, value, outcome, ways)
        if value is kept_open or turned_away:
            places.append(criterion.notation)
    return places
