"""Has cases determined, for all doors of programs: bytes in, the answer in the form that is wanted out.

The work is done in a few processes (`case.workers`); what each learned of pieces of cases stays with it. Threads of its
own wait for them: none of those that write pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cached_property, partial
from typing import Any

from anyio import CapacityLimiter, to_thread

from kb_tools.errors import Busy, KbError, KnowledgeBaseError, UnknownRevision, Unrecorded
from kb_tools.memory import Memory
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.serve.case.desk import Chosen, Told
from kb_tools.serve.case.messages import Message
from kb_tools.serve.case.workers import WAITING, Workers
from kb_tools.serve.recording import Recording, refused
from kb_tools.serve.view import NoPage, day_asked

# The form of an answer, as kb validate --format calls it, by its media type.
FORMS = {"application/json": "json", "application/fhir+json": "fhir", "text/turtle": "turtle"}
# Choices of a revision that are kept, in one generation.
CHOICES = 500
# A case that is determined before any other.
_FIRST = '{"patient": "p", "request": {"serviceDate": "2026-07-01"}}'


@dataclass(frozen=True)
class Determined:
    """What a body came to.

    Attributes:
        body: the answer, in the form that was asked for.
        told: what became of the cases, without anything of whom.
    """

    body: bytes
    told: Told

    @property
    def read(self) -> bool:
        """Whether any case could be read."""
        return self.told["read"] > 0


class Determining:
    """Has cases determined.

    Args:
        number: of processes; by default two, if the machine has as many processors.
        recording: records each determination of a program before it is given; None for no records.
    """

    def __init__(self, kb: Repository, number: int = 0, recording: Recording | None = None) -> None:
        self.kb = kb
        self.recording = recording
        folder, keeps = (recording.folder.path, recording.keep_cases) if recording else (None, False)
        self.workers = Workers(kb.root, number, kb.held, folder, keeps, kb.skipped)
        # Choices that were made before, so that no folder is looked into for each request.
        self._choices: Memory[tuple[str | None, ...], Chosen] = Memory(CHOICES)
        self._room = self.workers.number * (1 + WAITING)
        self._threads = CapacityLimiter(self._room)

    def chosen(self, policy: str | None = None, revision: str | None = None, as_of: str | None = None) -> Chosen:
        """The choice of a revision, as the options of kb validate make it.

        Without a policy, and where several have the revision, if one is given, each case is of the one that it names,
        or that KB_POLICY names, as kb validate chooses it.

        Raises:
            NoPage: there is no such policy or revision, or its criteria are not on file; with those that are near.
            KbError: a revision and a day, or no calendar day.
        """
        asked = (policy, revision, as_of)
        return self._choices.get(asked) or self._choices.put(asked, self._chosen(*asked))

    def _chosen(self, policy: str | None, revision: str | None, as_of: str | None) -> Chosen:
        if revision and as_of:
            raise KbError("a revision and a day", hint="give revision or asOf")
        day = day_asked(as_of, "asOf")
        found = None
        if self.kb.is_one(policy, revision):
            found = self.policy(policy, *([revision] if revision else []))
            if revision:
                self.entry(found, revision)
            if day:
                self.in_force(found, day)
        # One that nobody asked for is an operator's choice, which the payer of a case can gainsay.
        named = found.identifier if found and (policy or revision) else None
        return {"policy": named, "revision": revision or None, "asOf": as_of or None}

    def policy(self, named: str | None, *revisions: str) -> Policy:
        """The policy named, or that of the revisions, or the only one.

        Raises:
            NoPage: there is no such policy.
            KbError: several are on file and none is named, or two are.
        """
        known = self._policies
        if not revisions and not self.kb.is_one(named, None):
            number = len(known) + len(self.kb.absent)
            raise KbError(f"{number} policies on file", hint=f"choose one with policy: {', '.join(known)}")
        try:
            return known[self.kb.policy_of(named or None, *revisions).identifier]
        except UnknownRevision as error:
            raise NoPage(error.what, (), error.hint) from None
        except KnowledgeBaseError:
            raise
        except KbError as error:
            asked = {named, *(revision.split("/")[-2] for revision in revisions if "/" in revision)} - {None, ""}
            if len(asked) != 1:
                raise
            near = get_close_matches(str(next(iter(asked))), known, 3)
            raise NoPage(error.what, [known[name].iri for name in near], error.hint) from None

    @cached_property
    def _policies(self) -> dict[str, Policy]:
        """The policies by their identifiers: each keeps the history that it has read."""
        return {found.identifier: found for found in self.kb.policies()}

    @staticmethod
    def entry(policy: Policy, revision: str) -> RevisionEntry:
        """A revision of a policy, with its criteria.

        Raises:
            NoPage: there is none, or its criteria are not on file.
        """
        try:
            return policy.require_criteria(policy.entry(revision))
        except UnknownRevision as error:
            names = {entry.name: entry.iri for entry in policy.history}
            near = get_close_matches(revision.rpartition("/")[2], names, 3)
            raise NoPage(error.what, [names[name] for name in near], error.hint) from None

    @staticmethod
    def in_force(policy: Policy, day: date) -> RevisionEntry:
        """The revision of a policy that is in force on a day.

        Raises:
            NoPage: there is none whose criteria are on file.
        """
        try:
            return policy.in_force(day).revision
        except UnknownRevision as error:
            raise NoPage(error.what, (), error.hint) from None

    def start(self) -> None:
        """Starts the processes, beside all else, and lets each determine a case: what takes time at first is done."""
        meant = self.kb.preferred or next(self.kb.policies())
        chosen: Chosen = {"policy": meant.identifier, "revision": None, "asOf": None}
        self.workers.start("read", _FIRST, "json", chosen)

    def close(self) -> None:
        """Ends the processes, and the records once they are written."""
        self.workers.close()
        if self.recording:
            self.recording.close()

    async def determine(self, data: bytes, format_: str, chosen: Chosen, form: str = "json") -> Determined:
        """What the cases in a body come to.

        Args:
            format_: of the body, as kb validate --input-format calls it.
            form: of the answer, a value of FORMS.

        Raises:
            Busy: as many wait as may.
            KbError: it took too long, or broke off.
        """
        found = await self.exchange("determine", format_, chosen, form, body=data)
        assert found.body is not None
        return Determined(found.body, found.content)

    async def exchange(self, operation: str, *arguments: Any, body: bytes | None = None) -> Message:
        """What an operation of kb_tools.serve.case.desk gives, as Workers.exchange, while nothing else waits.

        Raises:
            Busy: as many wait as may.
            Unrecorded: what was determined cannot be recorded.
            KbError: the operation raised it; or it took too long, or broke off.
        """
        if self._room < 1:
            raise Busy("too many cases at once", seconds=2)
        self._room -= 1
        try:
            work = partial(self._recorded, operation, *arguments, body=body)
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._room += 1

    def _recorded(self, operation: str, *arguments: Any, body: bytes | None) -> Message:
        """What an operation gives, once what is to be recorded of it is. The process works on meanwhile.

        Nobody who goes away ends this: what was determined is recorded, heard or not.
        """
        try:
            found = self.workers.exchange(operation, *arguments, body=body)
        except Unrecorded as error:
            # What a record refers to could not be written.
            assert self.recording
            self.recording.failed(error)
            raise refused(error) from error
        if self.recording:
            self.recording.record(found.records)
        return found
