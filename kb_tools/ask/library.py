"""The ready questions, and their parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kb_tools.ask.sparql import QueryError
from kb_tools.errors import did_you_mean

QUESTIONS = Path(__file__).parent / "questions"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question: its variable, its type, a default other than the query's own, and what it is.

    Attributes:
        kinds: what a value of it is, as the prefix table shortens that: classes of things, or properties of texts.
    """

    name: str
    type: str
    default: str
    meaning: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A question of the library.

    Attributes:
        scope: the graphs it reads: "revision" (what is shared and one revision) or "all".
        topic: what it is about, in a word or two.
        parts: the parts of revisions that it reads, as the prefix table shortens them, or "all".
    """

    name: str
    title: str
    scope: str
    parameters: tuple[Parameter, ...]
    text: str
    parts: tuple[str, ...] = ()
    topic: str = ""

    @property
    def revision(self) -> Parameter | None:
        """The parameter that is the revision of the default graph."""
        mine = (parameter for parameter in self.parameters if parameter.name == parameter.type == "revision")
        return next(mine, None) if self.scope == "revision" else None


# ---------------------------------------------------------------------- the library


@cache
def _library() -> dict[str, Question]:
    """The ready questions by name, read once: they are part of the package."""
    return {path.stem: read_question(path) for path in sorted(QUESTIONS.glob("*.rq"))}


def questions() -> list[Question]:
    """The ready questions, by name."""
    return list(_library().values())


def find_question(name: str) -> Question:
    """The ready question of that name.

    Raises:
        QueryError: there is none; the error names one whose name is close.
    """
    if name not in _library():
        hint = did_you_mean(name, _library()) or "kb query lists them; a file is named with its .rq"
        raise QueryError(f"no question {name}", hint=hint, unquoted="there is no such question")
    return _library()[name]


_PARAMETER = re.compile(r"Param: (\w+) (\w+)(?: of (\w+:\w+(?: \w+:\w+)*))?(?: = (\S+))?: (.+)")


def read_question(path: Path) -> Question:
    """A question file: comment lines on top (the question in words, then `Topic:`, `Scope:` …), and the query.

    `# Parts: pol:Codes pol:References` names the parts of a revision that the question reads, or `all`.

    A parameter is a line `# Param: NAME TYPE [of KIND …] [= DEFAULT]: what it is`, its type one of iri, class, text,
    namespace, revision, policy, date, integer. A kind is a class: the parameter is an instance of it (iri), a subclass
    (class), or the number or place of an instance (text); for a text also a property whose values are meant. The query
    binds it by `VALUES ?NAME { … }`, so that it runs as it stands in any store.
    """
    text = path.read_text(encoding="utf-8")
    head = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    parameters = []
    scope, title, parts, topic = "revision", [], "", ""
    for line in head:
        if found := _PARAMETER.fullmatch(line):
            kinds = tuple((found[3] or "").split())
            parameters.append(Parameter(found[1], found[2], found[4] or "", found[5], kinds))
        elif line.startswith("Scope: "):
            scope = line.removeprefix("Scope: ")
        elif line.startswith("Topic: "):
            topic = line.removeprefix("Topic: ")
        elif line.startswith("Parts: "):
            parts = line.removeprefix("Parts: ")
        else:
            title.append(line)
    return Question(path.stem, " ".join(title), scope, tuple(parameters), text, tuple(parts.split()), topic)
