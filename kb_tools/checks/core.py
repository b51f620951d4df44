"""What a conformance check is, what it finds, and what the checks have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from rdflib import BNode
from rdflib.term import Node

from kb_tools.as_json import AsJson
from kb_tools.errors import KbError
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.terms import Triple

# The folders whose Turtle files are the knowledge base.
FOLDERS = ("ontology", "shapes", "policies")


class Severity(Enum):
    """Whether a knowledge base with the problem may be relied on."""

    ERROR = "error"
    WARNING = "warning"


class Scope(Enum):
    """What a check looks at, and so what must be checked again after a change."""

    VOCABULARY = "the vocabularies and shapes"
    FILES = "each file, beside what the vocabularies, the shapes and its own policy say"
    POLICY = "each policy by itself, with the vocabularies and shapes"
    ALL_POLICIES = "whether something is true in any policy: a problem is one only if every policy has it"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        where: the file, folder or CURIE that it is about.
        message: what is wrong and what to do, in one line.
        unless: the IRI of what nothing describes, where that is the problem: it is none if any policy describes it.
    """

    where: str
    message: str
    unless: str = ""


@dataclass(frozen=True)
class Check:
    """One statement that must be true of the knowledge base, and what looks for the contrary.

    Attributes:
        id: its name, in kebab case.
        title: the statement, in words.
        run: finds what contradicts it.
        scope: what it looks at.
        needs_graphs: whether it can be run only where every file parses.
        across: finds what contradicts it between policies, each of which may be sound by itself.
    """

    id: str
    title: str
    severity: Severity
    run: Callable[[Repository], Iterator[Problem]]
    scope: Scope
    needs_graphs: bool = True
    across: Callable[[Repository], Iterator[Problem]] | None = None


@dataclass(frozen=True)
class CheckResult(AsJson):
    """What a check came to.

    Attributes:
        skipped: why it was not run on all that it is about, "" where it was.
    """

    check: Check
    problems: tuple[Problem, ...]
    skipped: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was run, on all that it is about, and found nothing, warnings included."""
        return not self.problems and not self.skipped

    @property
    def failed(self) -> bool:
        """Whether it found an error, or could not be run and so did not show that there is none."""
        return not self.passed and self.check.severity is Severity.ERROR

    @property
    def status(self) -> str:
        """In a word: "passed", "failed", "warning" or "not run"; "failed" too where it was run in part and did."""
        if self.skipped and not self.problems:
            return "not run"
        return "passed" if self.passed else "failed" if self.failed else "warning"

    def to_dict(self) -> dict[str, Any]:
        """Give the result as an element of the list of `kb check --format json`."""
        return {
            "check": self.check.id,
            "title": self.check.title,
            "severity": self.check.severity.value,
            "status": self.status,
            "problems": [{"where": problem.where, "message": problem.message} for problem in self.problems],
        }


def relative(kb: Repository, path: Path | str) -> str:
    """A path as seen from the root of the knowledge base, a line number behind it included."""
    return str(path).removeprefix(f"{kb.root}/")


def policy_at(kb: Repository, where: str) -> str:
    """The identifier of the policy in whose folder a place lies, as seen from the root; "" for none."""
    kind, _, rest = where.partition("/")
    identifier = rest.partition("/")[0]
    return identifier if kind == "policies" and kb.has(kb.root / kind / identifier / POLICY_FILE) else ""


def problem_of(kb: Repository, error: KbError, where: str) -> Problem:
    """The problem that an error reports; at `where`, unless the error names a place of its own."""
    message = f"{error.what}; {error.hint}" if error.hint else error.what
    return Problem(relative(kb, error.where) or where, message)


def statements(kb: Repository, *folders: str) -> Iterator[tuple[str, Triple]]:
    """Every triple of the files under the folders, with the file that states it."""
    for path in kb.files(*folders):
        file = relative(kb, path)
        for triple in kb.triples(path):
            yield file, triple


def name(kb: Repository, node: Node) -> str:
    """How a message calls a node."""
    return "an unnamed node" if isinstance(node, BNode) else kb.curie(str(node))


def names(kb: Repository, nodes: Iterable[Node]) -> str:
    """How a message calls several nodes, in order; "nothing" where there are none."""
    return ", ".join(sorted(name(kb, node) for node in nodes)) or "nothing"


def revisions(kb: Repository) -> Iterator[tuple[Policy, RevisionEntry, str]]:
    """Every revision of every policy, with its folder as seen from the root."""
    for policy in kb.policies():
        for entry in policy.history:
            yield policy, entry, relative(kb, policy.revision_folders[entry.name])


def in_each(policy: Policy, found: dict[Problem, list[str]]) -> Iterator[Problem]:
    """Problems that were found in several revisions' graphs, each once, with the revisions named."""
    for problem, where in found.items():
        # One revision can have several that look alike.
        names_of_revisions = list(dict.fromkeys(where))
        of_every = len(names_of_revisions) == len(policy.history)
        which = "every revision" if of_every else ", ".join(names_of_revisions)
        yield Problem(problem.where, f"{problem.message} (in {which})")
