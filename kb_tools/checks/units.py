"""What is checked by itself: the vocabularies with the shapes, and each policy, each as if no other were on file.

What names a policy by its IRI is checked together with it. So what a check finds in a policy depends on nothing but the
vocabularies, the shapes, its own files and those of the policies that it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from kb_tools.checks.core import FOLDERS, Check, CheckResult, Problem, Scope, problem_of
from kb_tools.checks.files import parses
from kb_tools.checks.history import history, strangers
from kb_tools.errors import KbError
from kb_tools.model.repository import POLICIES, Repository
from kb_tools.rdf.namespaces import BASE

# The name of the unit of the vocabularies and shapes.
VOCABULARIES = ""
# The folders of what all policies share.
SHARED = tuple(folder for folder in FOLDERS if folder != POLICIES)
# An IRI of a policy, or of anything in its namespace.
_NAMED = re.compile(re.escape(BASE).encode() + rb"([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Unit:
    """What is checked by itself.

    Attributes:
        name: of the policy's folder; VOCABULARIES for the vocabularies and shapes.
        folders: what it sees under policies/: of the policy and all that it names, directly or through others. The
            unit of the vocabularies sees those that hold no policy too, so that what stands in them is found. None
            where no policy is on file at all: then everything is one unit.
        terms: whether it brings terms of its own, which are checked as those that all share.
    """

    name: str
    folders: frozenset[str] | None
    terms: bool = False

    def concerns(self, check: Check) -> bool:
        """Whether a check looks at anything here that it looks at in no other unit."""
        if self.folders is None:
            return True
        if self.name == VOCABULARIES:
            return check.scope in (Scope.VOCABULARY, Scope.FILES)
        return self.terms or check.scope is not Scope.VOCABULARY

    def reports(self, check: Check, problem: Problem) -> bool:
        """Whether a problem is for it to report: those of the files of the vocabularies are not for each policy."""
        shared = problem.where.startswith(tuple(f"{folder}/" for folder in SHARED))
        return self.name == VOCABULARIES or check.scope is not Scope.FILES or not shared


def named_in(kb: Repository, unit: str) -> frozenset[str]:
    """What the IRIs in the files of a unit name behind the base: names of policies, and others."""
    paths = kb.files(*SHARED) if unit == VOCABULARIES else kb.showing([unit]).files(POLICIES)
    return frozenset(name.decode() for path in paths for name in _NAMED.findall(kb.content(path)))


def units(kb: Repository, named: Mapping[str, Collection[str]] | None = None) -> Iterator[Unit]:
    """The units of a knowledge base, that of the vocabularies first.

    Args:
        named: what each unit names, where it is known already.
    """
    policies = {folder.name for folder in kb.policy_folders}
    if not policies:
        yield Unit(VOCABULARIES, None)
        return
    if named is None:
        named = {unit: named_in(kb, unit) for unit in (VOCABULARIES, *sorted(policies))}
    for unit in named:
        reached: set[str] = set()
        waiting = [unit]
        while waiting:
            further = (policies & set(named[waiting.pop()])) - reached
            reached |= further
            waiting += further
        own = {path.name for path in kb.folders_of_policies()} - policies if unit == VOCABULARIES else {unit}
        terms = any(kb.files(f"{POLICIES}/{name}/{kind}") for name in (reached | own) & policies for kind in SHARED)
        yield Unit(unit, frozenset(reached | own), terms and unit != VOCABULARIES)


# ---------------------------------------------------------------------- what checks come to


@dataclass(frozen=True)
class Outcome:
    """What a check came to in one unit.

    Attributes:
        skipped: why it was not run, "" where it was.
        kept: whether it comes to the same as long as the files stay as they are.
    """

    problems: tuple[Problem, ...] = ()
    skipped: str = ""
    kept: bool = True


class Checker:
    """Runs checks on one unit."""

    def __init__(self, kb: Repository, unit: Unit) -> None:
        self.unit = unit
        self.view = kb if unit.folders is None else kb.showing(unit.folders)

    @cached_property
    def _damage(self) -> Problem | None:
        """The first file that does not parse."""
        return next(parses(self.view), None)

    @cached_property
    def _stranger(self) -> Problem | None:
        """That the folder describes another policy or revision than it is called for."""
        if self.unit.folders is None or self.unit.name == VOCABULARIES:
            return None
        return next(strangers(self.view, self.view.policy(self.unit.name)), None)

    def outcome(self, check: Check) -> Outcome:
        """Runs a check; one that broken data stops has that as its problem."""
        if check.needs_graphs and self._damage:
            return Outcome(skipped=f"the check parses failed: {self._damage.where}: {self._damage.message}")
        if check.needs_graphs and check.run is not history and self._stranger:
            return Outcome(skipped=f"the check history failed: {self._stranger.where}: {self._stranger.message}")
        problems: list[Problem] = []
        kept = True
        try:
            problems.extend(check.run(self.view))
        except KbError as error:
            problems.append(problem_of(self.view, error, str(self.view.root)))
        except Exception as error:
            # Broken data can break the code that reads it anywhere. No check may stop the others, or count as passed.
            what = f"the check stopped: {type(error).__name__}: {error}; correct the data it was reading"
            problems.append(Problem(str(self.view.root), what))
            kept = False
        own = (problem for problem in dict.fromkeys(problems) if self.unit.reports(check, problem))
        return Outcome(tuple(own), kept=kept)

    @cached_property
    def described(self) -> frozenset[str]:
        """What of ours the policy describes outside its own namespace, as codes are: others may point to it."""
        if self._damage or self.unit.name == VOCABULARIES:
            return frozenset()
        own = tuple(f"{policy.iri}/" for policy in self.view.policies())
        paths = self.view.showing([self.unit.name]).files(POLICIES)
        subjects = {str(subject) for path in paths for subject, _, _ in self.view.triples(path)}
        return frozenset(iri for iri in subjects if iri.startswith(BASE) and not iri.startswith(own))


def asked(check: Check, outcomes: Mapping[str, Outcome], policy: str | None) -> dict[str, Outcome]:
    """What a check came to in the vocabularies and in one policy; in all units where no policy is named.

    What must be so in some policy is looked for in all that can be read.
    """
    if policy is not None and check.scope is Scope.ALL_POLICIES:
        return {name: outcome for name, outcome in outcomes.items() if name == policy or not outcome.skipped}
    return {name: outcome for name, outcome in outcomes.items() if is_asked(check, name, policy)}


def is_asked(check: Check, unit: str, policy: str | None) -> bool:
    """Whether what a check comes to in a unit is asked for, where it is asked of one policy, or of all (None)."""
    return policy is None or check.scope is Scope.ALL_POLICIES or unit in (VOCABULARIES, policy)


def across(kb: Repository, result: CheckResult, policy: str | None) -> CheckResult:
    """The result with what the check finds between policies: each time anew, whatever changed.

    Args:
        policy: with what concerns this one alone.
    """
    found = result.check.across(kb) if result.check.across else ()
    mine = (one for one in found if policy is None or policy in f"{one.where} {one.message}")
    return replace(result, problems=tuple(dict.fromkeys((*result.problems, *mine))))


def merged(check: Check, outcomes: Mapping[str, Outcome], described: Callable[[], Collection[str]]) -> CheckResult:
    """What a check came to in all units together.

    Args:
        outcomes: by the name of the unit.
        described: what policies describe for others.
    """
    problems = list(dict.fromkeys(problem for outcome in outcomes.values() for problem in outcome.problems))
    run = [outcome for outcome in outcomes.values() if not outcome.skipped]
    if check.scope is Scope.ALL_POLICIES:
        problems = [problem for problem in problems if all(problem in outcome.problems for outcome in run)]
    if any(problem.unless for problem in problems):
        known = described()
        problems = [problem for problem in problems if problem.unless not in known]
    return CheckResult(check, tuple(problems), _why_skipped(outcomes))


def _why_skipped(outcomes: Mapping[str, Outcome]) -> str:
    skipped = {name: outcome.skipped for name, outcome in outcomes.items() if outcome.skipped}
    if not skipped:
        return ""
    where = "" if len(skipped) == len(outcomes) else f" on {', '.join(sorted(skipped))}"
    return f"not run{where}, because {next(iter(skipped.values()))}"
