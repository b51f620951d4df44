"""Has cases determined, for all doors of programs: bytes in, the answer in the form that is wanted out.

The work is done in a few processes (`case.workers`); what each learned of pieces of cases stays with it. Threads of its
own wait for them: none of those that write pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread

from kb_tools.errors import Busy, KbError
from kb_tools.model.repository import Repository
from kb_tools.serve.case.desk import Chosen, Told
from kb_tools.serve.case.messages import Message
from kb_tools.serve.case.workers import WAITING, Workers
from kb_tools.serve.view import day_asked

# The form of an answer, as kb validate --format calls it, by its media type.
FORMS = {"application/json": "json", "application/fhir+json": "fhir", "text/turtle": "turtle"}


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
    """

    def __init__(self, kb: Repository, number: int = 0) -> None:
        self.kb = kb
        self.workers = Workers(kb.root, number)
        self._room = self.workers.number * (1 + WAITING)
        self._threads = CapacityLimiter(self._room)

    def chosen(self, policy: str | None = None, revision: str | None = None, as_of: str | None = None) -> Chosen:
        """The choice of a revision, as the options of kb validate make it.

        Raises:
            KbError: a revision and a day, or there is no such policy, revision or day.
        """
        if revision and as_of:
            raise KbError("a revision and a day", hint="give revision or asOf")
        found = self.kb.policy_of(policy or None, *([revision] if revision else []))
        if revision:
            found.require_criteria(found.entry(revision))
        if day := day_asked(as_of, "asOf"):
            found.in_force(day)
        return {"policy": found.identifier, "revision": revision or None, "asOf": as_of or None}

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
            KbError: the operation raised it; or it took too long, or broke off.
        """
        if self._room < 1:
            raise Busy("too many cases at once", seconds=2)
        self._room -= 1
        try:
            work = partial(self.workers.exchange, operation, *arguments, body=body)
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._room += 1
