"""What goes wrong, as one line: what, where, and what to do."""

from __future__ import annotations


class KbError(Exception):
    """Something the tool cannot do. Its text is one line that a user can act on.

    Args:
        what: what is wrong.
        where: the file (with line), revision or case that it is about, if any.
        mend: what to do.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what = " ".join(what.split())
        self.where = where
        self.mend = " ".join(mend.split())
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        mend = f"; {self.mend}" if self.mend else ""
        return f"{place}{self.what}{mend}"


class KnowledgeBaseError(KbError):
    """The knowledge base itself is missing or broken."""


class UnknownRevision(KbError):
    """A revision that the knowledge base does not know, or whose criteria are not on file."""


class UnreadableInput(KbError):
    """A file that cannot be read as RDF, or that holds no case."""
