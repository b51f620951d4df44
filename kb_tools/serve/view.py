"""What one request sees of the workbench: the day that it asks for, and what was in force on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import TypedDict

from kb_tools.calendar_day import calendar_day
from kb_tools.errors import KbError, UnknownRevision
from kb_tools.model.history import RevisionEntry
from kb_tools.model.parts import BASES, DOCUMENT_PARTS
from kb_tools.model.policy import Policy
from kb_tools.model.statements import Passage, Reference
from kb_tools.serve.workbench import Workbench


class NoPage(KbError):
    """There is no page at an address.

    Args:
        near: IRIs of things whose addresses are close.
        hint: what to do.
    """

    def __init__(self, what: str, near: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.near = tuple(near)


class Link(TypedDict):
    """A thing: its IRI, what it is called, and its number or place ("" where it has none)."""

    iri: str
    label: str
    notation: str


class Place(TypedDict):
    """A place in the policy's document."""

    iri: str
    place: str
    section: str


class Citation(TypedDict):
    """A work that is cited: its number in the list of that revision (0 where the list is not on file)."""

    iri: str
    number: int
    text: str


class InForce(TypedDict):
    """The revision of a policy that counts on a day.

    `revision` is null before the first one. `notices` say what is assumed or not on file.
    """

    policy: Link
    revision: Link | None
    basis: str | None
    since: str | None
    notices: list[str]


class Standing(TypedDict):
    """Whether what a page shows of a thing is what the revision in force on the day says.

    Attributes:
        inForce: the revision that counts; null before the first one.
        shown: the revision whose words the page has.
        part: the part of a revision that the thing belongs to, in words; "" where that is not known.
        lacks: "" where `shown` counts, else why it is shown: "none in force", "not on file", "not in it" or "unknown".
    """

    inForce: Link | None
    shown: Link
    part: str
    lacks: str


# The part of a revision that each kind of thing belongs to.
PART_OF = {
    "criterion": "Criteria",
    "code": "Codes",
    "reference": "References",
    "definition": "Definitions",
    "evidence statement": "Evidence",
}


class View:
    """The workbench on a day.

    Args:
        day: the day; None for the first day of the latest revision on file.
    """

    def __init__(self, bench: Workbench, day: date | None) -> None:
        self.bench = bench
        self._day = day

    @cached_property
    def day(self) -> date:
        if self._day:
            return self._day
        released = [entry for policy in self.bench.policies.values() for entry in policy.released]
        return max((entry.effective for entry in released), default=date.max)

    # ------------------------------------------------------------------ revisions

    def current(self, policy: Policy) -> RevisionEntry | None:
        """The revision that counts on the day."""
        return policy.begun_by(self.day)

    def in_force(self, policy: Policy) -> InForce:
        entry = self.current(policy)
        try:
            notices = list(policy.in_force(self.day).notices)
        except UnknownRevision as error:
            notices = [_sentence(error.what if entry else f"{error.what}; {without_options(error.hint)}")]
        return {
            "policy": self.link(policy.iri),
            "revision": self.link(entry.iri) if entry else None,
            "basis": BASES[entry.on_file["Criteria"]] if entry else None,
            "since": entry.effective.isoformat() if entry else None,
            "notices": notices,
        }

    def standing(self, having: Sequence[str], kind: str) -> Standing:
        """Which of the revisions of one policy that have a thing is shown on the day, and why.

        Args:
            having: their IRIs, at least one, the earliest first.
            kind: of the thing, as `Workbench.kind` gives it.
        """
        policy, _ = self.bench.entries[having[0]]
        entry = self.current(policy)
        released = [iri for iri in having if not self.bench.entries[iri][1].draft]
        shown = entry.iri if entry and entry.iri in having else (released or having)[-1]
        part = PART_OF.get(kind, "")
        if entry is None:
            lacks = "none in force"
        elif shown == entry.iri:
            lacks = ""
        elif not part:
            lacks = "unknown"
        else:
            lacks = "not on file" if entry.on_file[part] == "NotOnFile" else "not in it"
        return {
            "inForce": self.link(entry.iri) if entry else None,
            "shown": self.link(shown),
            "part": DOCUMENT_PARTS[part] if part else "",
            "lacks": lacks,
        }

    def standings(self, having: Iterable[str], kind: str) -> list[Standing]:
        """The same for the revisions of any policies, by policy; none for a thing that no revision has."""
        found: dict[str, list[str]] = {}
        for iri in sorted(having, key=list(self.bench.entries).index):
            found.setdefault(self.bench.entries[iri][0].iri, []).append(iri)
        return [self.standing(revisions, kind) for revisions in found.values()]

    @cached_property
    def graphs(self) -> list[str]:
        """The revisions whose names for things are preferred: those in force on the day."""
        return [entry.iri for policy in self.bench.policies.values() if (entry := self.current(policy))]

    # ------------------------------------------------------------------ things

    def link(self, iri: str, graphs: Sequence[str] = ()) -> Link:
        """A thing by its name; as these graphs name it, else as on the day."""
        wanted = (*graphs, *self.graphs)
        return {"iri": iri, "label": self.bench.label(iri, wanted), "notation": self.bench.notation(iri, wanted)}

    def links(self, iris: Iterable[str], graphs: Sequence[str] = ()) -> list[Link]:
        return [self.link(iri, graphs) for iri in iris]


def place(found: Passage) -> Place:
    """A place in the document as JSON values."""
    return {"iri": found.iri, "place": found.notation, "section": found.section}


def citation(found: Reference) -> Citation:
    """A work that is cited as JSON values."""
    return {"iri": found.iri, "number": found.number, "text": found.text}


def day_asked(given: str | None, name: str = "on") -> date | None:
    """The day that a parameter of an address names, if it is given.

    Raises:
        KbError: it is no calendar day.
    """
    if not given:
        return None
    try:
        return calendar_day(given)
    except ValueError:
        raise KbError(f"{name}: {given!a} is no calendar day", hint="write YYYY-MM-DD") from None


def without_options(hint: str) -> str:
    """A hint in which nothing is written as an option of a command, which a reader of pages does not have."""
    # Nor is a request of several policies, for which the command has --policy all.
    return hint.replace("--revision ", "revision ").replace("--policy", "policy").removesuffix(", or all")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
