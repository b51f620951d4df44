"""What a user asks, and what is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyoxigraph as ox

from kb_tools.ask.library import find_question

if TYPE_CHECKING:
    from kb_tools.ask.library import Question

Term: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal


@dataclass
class Inquiry:
    """What a user asks, before it is known what that comes to.

    Attributes:
        root: the folder of the knowledge base; None to look for it.
        text: SPARQL of the user's own; empty for the ready question of the name `question`.
        parameters: of the question, by name.
        union: whether the default graph is the union of all graphs.
        data: further RDF files and folders, whose content is added to the default graph.
        dataset: the graphs of the default graph and the named graphs, in place of those of FROM; None for those.
        entail: "owlrl", "rdfs" or "none".
        held: the digest of the files that it must be answered from; "" for any.
        format: one of resolve.FORMATS, which the form of the query must fit; any form if empty.
    """

    root: Path | None = None
    text: str = ""
    question: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    revision: str | None = None
    as_of: date | None = None
    union: bool = False
    data: Sequence[Path] = ()
    dataset: tuple[Sequence[str], Sequence[str]] | None = None
    entail: str = "none"
    max_rows: int = 10_000
    format: str = ""
    held: str = ""

    @cached_property
    def ready(self) -> Question | None:
        """The ready question that is asked; None where the query is the user's own.

        Raises:
            QueryError: there is none of that name.
        """
        return find_question(self.question) if self.question else None


@dataclass
class RawResult:
    """What a query found.

    Attributes:
        variables, rows: of a SELECT query.
        truth: of an ASK query.
        triples, turtle: of a CONSTRUCT or DESCRIBE query, each triple once; the same as canonical Turtle.
        labels: names of the IRIs in the rows.
        more: whether there was more than the number of rows asked for.
        title: the question in words.
        query: the query of a ready question with its parameters bound.
        graphs: what the default graph holds, in words.
        choices: what the question was asked for where the user did not say it in full, one line each.
        basis: which parts that it reads are not on file or inferred, and which revisions are drafts, one line each.
        missing: "all" if no revision has all these parts on file, "some" if some have not, else "".
        notes: what else a reader must know of the answer, one line each.
        prefixes: the prefix table.
    """

    variables: list[str] = field(default_factory=list)
    rows: list[list[Term | None]] = field(default_factory=list)
    truth: bool | None = None
    triples: list[ox.Triple] | None = None
    turtle: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    more: bool = False
    title: str = ""
    query: str = ""
    graphs: str = ""
    choices: list[str] = field(default_factory=list)
    basis: list[str] = field(default_factory=list)
    missing: str = ""
    notes: list[str] = field(default_factory=list)
    prefixes: dict[str, str] = field(default_factory=dict)
