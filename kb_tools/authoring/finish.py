"""The end of a draft: what keeps it from being released, and its release."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.as_json import AsJson
from kb_tools.authoring.first import FirstEdition, first_edition
from kb_tools.cases.inputs import MANIFEST
from kb_tools.checks import CHECKS, Severity, run_checks
from kb_tools.determine.coverage import coverage
from kb_tools.determine.examples import ExampleResult, read_manifest, run_manifest
from kb_tools.document.draft import REVISION
from kb_tools.document.leaks import leaks
from kb_tools.document.left import Draft
from kb_tools.document.notation import notations
from kb_tools.document.passages import KINDS, passages
from kb_tools.document.trace import units_of
from kb_tools.errors import KbError
from kb_tools.model.logic import Value
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.edits import TurtleText
from kb_tools.rdf.namespaces import POL, SH
from kb_tools.revisions.change import Diff
from kb_tools.revisions.compare import compare
from kb_tools.revisions.seal import Frozen, freeze
from kb_tools.writing import write_atomically

# What holds for released revisions alone.
_AFTERWARDS = ("to-do", "seal")
_LIMITS = {SH.minInclusive, SH.minExclusive, SH.maxInclusive, SH.maxExclusive, SH.hasValue}
# What says in words what holds. Evidence and references have numbers of their own.
_SPEAKING = {kind for name in ("criterion", "definition", "advisory") for kind in KINDS[name]}
# How many characters of the digest of a comparison say that it was seen.
_SHORT = 12


@dataclass(frozen=True)
class Obstacle:
    """One thing that keeps a draft from being released.

    Attributes:
        where: the statement, file or condition that it is about.
        message: what is wrong and what to do, in one line.
    """

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class Release(AsJson):
    """A draft that is to be released, beside the edition before it.

    Args:
        engine: that determines the cases of the comparison.
        kept: IRIs of statements that are right as they are although they speak of a value that is gone.
        document: a copy of the document, whose wording must not stand in the knowledge base; None to leave that out.
    """

    def __init__(
        self, kb: Repository, draft: Draft, engine: str, kept: Collection[str] = (), document: Path | None = None
    ) -> None:
        self.kb, self.draft, self.engine, self.kept, self.document = kb, draft, engine, kept, document
        self.name = f"{draft.policy.identifier}/{draft.entry.name}"

    @cached_property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """All that keeps it from being released; where something is left to do, that alone."""
        left = self.draft.left
        if left:
            decide = len(self.draft.to_decide)
            message = (
                f"{decide} to decide and {len(left) - decide} to point to their places; kb draft status lists them"
            )
            return (Obstacle(self.name, message),)
        found = (self._log(), self._examples(), self._gone(), self._checks(), self._cases(), self._wording())
        return tuple(one for each in found for one in each)

    @cached_property
    def diff(self) -> Diff | None:
        """How it compares with the edition before; None of the first."""
        before = self.draft.before
        return compare(self.draft.policy, before.name, self.draft.entry.name, self.engine) if before else None

    @cached_property
    def first(self) -> FirstEdition | None:
        """What is about to be released; None where there is an edition before, which it is compared with."""
        if self.draft.before:
            return None
        return first_edition(Revision.load(self._released, self._released.entry(self.draft.entry.name)), self.examples)

    @cached_property
    def gaps(self) -> tuple[str, ...]:
        """What no example case of the draft shows, a line each."""
        _, gaps = coverage(self._released.kb, self._released, self.examples, self.draft.entry.name)
        return tuple(gaps)

    @cached_property
    def digest(self) -> str:
        """What says that this comparison was seen, or this first edition, and no other."""
        shown = self.diff or self.first
        return hashlib.sha256(shown.to_json().encode()).hexdigest()[:_SHORT] if shown else ""

    def _log(self) -> Iterator[Obstacle]:
        iri = URIRef(self.draft.entry.iri)
        recorded = ((None, link, iri) in self.draft.policy.shared for link in (POL.records, POL.recordsMissingRowOf))
        if not any(recorded):
            yield Obstacle(
                self.name, "has no row in the log; give it one, or a discrepancy with pol:recordsMissingRowOf"
            )

    def _examples(self) -> Iterator[Obstacle]:
        """Conditions that the draft reads and that no example case of any policy shows to hold, or none to fail."""
        revision = Revision.load(self.draft.policy, self.draft.entry)
        manifests = (
            policy.cases_folder for policy in self.kb.policies() if self.kb.has(policy.cases_folder / MANIFEST)
        )
        expected = [one for folder in manifests for one in read_manifest(self.kb, folder)]
        for condition in revision.conditions.values():
            seen = {one.values[condition.iri] for one in expected if condition.iri in one.values}
            lacking = [value for value in (Value.HOLDS, Value.FAILS) if value not in seen]
            if lacking:
                words = " and none in which it ".join(value.value for value in lacking)
                message = f"no example case in which it {words}; add one to cases/, with what it comes to"
                yield Obstacle(self.kb.curie(condition.iri), message)

    def _gone(self) -> Iterator[Obstacle]:
        """What still speaks of a limit that the conditions of the edition before name, and those of this one do not."""
        before = self.draft.before
        if before is None or not before.criteria_on_file:
            return
        policy = self.draft.policy
        old, new = (Revision.load(policy, entry).conditions for entry in (before, self.draft.entry))
        gone = _numbers(self.kb, old.keys() - new.keys()) - _numbers(self.kb, new)
        for subject, predicate, text in sorted(self.draft.graph):
            if not isinstance(text, Literal) or not text.language or str(subject) in self.kept:
                continue
            if not _SPEAKING & set(self.draft.graph.objects(subject, RDF.type)):
                continue
            for number in sorted(gone):
                if re.search(rf"(?<![\w.]){re.escape(number)}(?![\w]|\.\d)", text):
                    yield Obstacle(
                        self.kb.curie(str(subject)),
                        f"its {self.kb.curie(str(predicate))} speaks of {number}, which no condition names any more; "
                        "say what holds now, or keep it with --keep",
                    )

    @cached_property
    def _released(self) -> Policy:
        """The policy as it would be with the draft released."""
        return self.draft.policy.as_released()

    @cached_property
    def examples(self) -> tuple[ExampleResult, ...]:
        """What the example cases of the draft come to."""
        return tuple(run_manifest(self._released.kb, self._released, self.engine, revision=self.draft.entry.name))

    def _cases(self) -> Iterator[Obstacle]:
        """Example cases of the draft that come to something else than they must."""
        for result in self.examples:
            for difference in result.differences:
                yield Obstacle(f"{self.draft.policy.identifier} {result.expectation.name}", difference)

    def _wording(self) -> Iterator[Obstacle]:
        """Wording that the knowledge base shares with the copy of the document, where one is given."""
        if self.document is None:
            return
        units = units_of(self.document, passages(self.draft.policy, self.draft.entry))
        for leak in leaks(self.kb, list(zip(units, notations(units), strict=True)), everywhere=False):
            message = f"{leak.words} words in a row of the document, {leak.place}; say it in words of our own"
            yield Obstacle(leak.where, message)

    def _checks(self) -> Iterator[Obstacle]:
        ids = [check.id for check in CHECKS if check.id not in _AFTERWARDS and check.severity is Severity.ERROR]
        for result in run_checks(self._released.kb, ids, self.draft.policy.identifier):
            yield from (Obstacle(one.where, f"{one.message} [kb check: {result.check.id}]") for one in result.problems)
            if result.skipped:
                yield Obstacle(self.name, f"{result.skipped} [kb check: {result.check.id}]")

    def release(self, seen: str) -> Frozen:
        """Takes the mark from the draft and freezes it.

        Args:
            seen: the digest of the comparison, or of the first edition, that a person has looked at.

        Raises:
            KbError: something keeps it from being released, the comparison was not looked at, or it cannot be written.
        """
        if self.obstacles:
            raise KbError(f"{len(self.obstacles)} things keep it from being released", where=self.name)
        if seen != self.digest:
            hint = f"read it again, and give --seen {self.digest}"
            what = "comparison" if self.diff else "edition"
            raise KbError(f"the {what} that was looked at is another", where=self.name, hint=hint)
        path = self.draft.folder / REVISION
        before = path.read_bytes()
        text = TurtleText(before.decode(), path)
        for mark in self.draft.graph.objects(URIRef(self.draft.entry.iri), POL.toDo):
            text.replace(URIRef(self.draft.entry.iri), POL.toDo, Literal(str(mark), lang="en"), "", None)
        try:
            write_atomically({path: text.text.encode()})
        except OSError as error:
            raise KbError(f"cannot be written: {error.strerror}", where=str(path), hint="check the folder") from None
        try:
            kb = Repository(self.kb.root)
            policy = kb.policy(self.draft.policy.identifier)
            return freeze(kb, policy, policy.entry(self.draft.entry.name))
        except KbError:
            write_atomically({path: before})
            raise

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return {
            "revision": self.name,
            "obstacles": [{"where": one.where, "message": one.message} for one in self.obstacles],
            "gaps": [] if self.obstacles else list(self.gaps),
            "comparison": None if self.obstacles else self.digest,
        }


def _numbers(kb: Repository, conditions: Collection[str]) -> set[str]:
    """The limits that the shapes of conditions set for numbers, as they are written."""
    found: set[str] = set()
    waiting: list[Node] = [URIRef(condition) for condition in conditions]
    seen = set(waiting)
    while waiting:
        for _, predicate, value in kb.conditions.triples((waiting.pop(), None, None)):
            if isinstance(value, Literal):
                if predicate in _LIMITS:
                    found.add(str(value))
            elif predicate not in (POL.entails, POL.excludes) and value not in seen:
                seen.add(value)
                waiting.append(value)
    return found
