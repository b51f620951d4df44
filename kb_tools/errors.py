"""What goes wrong, as one line: what, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kb_tools import printable


class KbError(Exception):
    """Something the tool cannot do. Its text is one line that a user can act on.

    Args:
        what: what is wrong.
        where: the file (with line), revision or case that it is about, if any.
        hint: what to do.
        reported: what is wrong, without the name of a file; by default `what`, if that names no file.
        unquoted: what is wrong, without anything that was given; by default `what`, if that quotes nothing given.

    Attributes:
        position: which input it is about, in words without the name of a file.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "", reported: str = "", unquoted: str = "") -> None:
        self.what = " ".join(what.split())
        self.where = where
        self.hint = " ".join(hint.split())
        self.reported = reported or self.what
        self.unquoted = " ".join(unquoted.split()) or self.what
        self.position = ""
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"; {self.hint}" if self.hint else ""
        return printable.line(f"{place}{self.what}{hint}")

    def lines(self) -> list[str]:
        """What is wrong, a line for each thing."""
        return [str(self)]

    def without_input(self) -> str:
        """What is wrong and what to do, in one line that names no place and quotes nothing that was given."""
        return printable.line(self.unquoted + (f"; {self.hint}" if self.hint else ""))

    def lines_for_others(self) -> list[str]:
        """The same for records that leave the house: they name no file."""
        place = f"{self.position}: " if self.position else ""
        return [printable.line(f"{place}{self.reported}" + (f"; {self.hint}" if self.hint else ""))]


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint that names the closest of the names known: "did you mean validate?"; "" where none is close."""
    from difflib import get_close_matches

    close = get_close_matches(given, known, 1)
    return f"did you mean {close[0]}?" if close else ""


class Busy(KbError):
    """As many others are at work, and wait, as may.

    Attributes:
        seconds: after which to ask again.
    """

    def __init__(self, what: str, seconds: int = 1) -> None:
        super().__init__(what, hint="ask again in a moment")
        self.seconds = seconds


class KnowledgeBaseError(KbError):
    """The knowledge base itself is missing or broken."""


class Changed(KnowledgeBaseError):
    """The knowledge base is not what it was when those that answer from it started."""


class Unrecorded(KbError):
    """A determination cannot be recorded, and so is not given."""


class ArgumentError(KbError):
    """What a function of the library was given is not of a type or value that it takes."""


class UnknownRevision(KbError):
    """A revision that the knowledge base does not know, or whose criteria are not on file."""


class UnreadableInput(KbError):
    """A file that cannot be read as RDF, or that holds no case."""


class Slips(UnreadableInput):
    """An input with several things wrong, each with its place."""

    def __init__(self, slips: Sequence[UnreadableInput]) -> None:
        self.slips = tuple(slips)
        first = slips[0]
        more = f"(and {len(slips) - 1} more)"
        super().__init__(
            f"{first.what} {more}", where=first.where, hint=first.hint, unquoted=f"{first.unquoted} {more}"
        )

    def lines(self) -> list[str]:
        """What is wrong, a line for each thing."""
        return [str(slip) for slip in self.slips]

    def lines_for_others(self) -> list[str]:
        """The same for records that leave the house: they name no file."""
        for slip in self.slips:
            slip.position = ", ".join(part for part in (self.position, slip.position) if part)
        return [line for slip in self.slips for line in slip.lines_for_others()]
