"""What a query found, as the library gives it: rows of Python values, and the W3C format of SPARQL results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import pyoxigraph as ox

from kb_tools.as_json import AsJson
from kb_tools.ask.sparql import QueryError
from kb_tools.errors import KbError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rdflib import BNode, URIRef

    from kb_tools.ask.request import RawResult, Term

    Cell: TypeAlias = URIRef | BNode | str | int | float | bool | Decimal | date | datetime | None

_XSD = "http://www.w3.org/2001/XMLSchema#"
_INTEGERS = (
    *("integer", "long", "int", "short", "byte", "nonNegativeInteger", "positiveInteger", "nonPositiveInteger"),
    *("negativeInteger", "unsignedLong", "unsignedInt", "unsignedShort", "unsignedByte"),
)
# How the text of a literal becomes a value of Python; the texts of all other datatypes stay texts.
_VALUES: dict[str, Callable[[str], Cell]] = {
    **{f"{_XSD}{name}": int for name in _INTEGERS},
    _XSD + "decimal": Decimal,
    _XSD + "double": float,
    _XSD + "float": float,
    _XSD + "boolean": lambda text: {"true": True, "1": True, "false": False, "0": False}[text],
    _XSD + "date": date.fromisoformat,
    _XSD + "dateTime": datetime.fromisoformat,
}


@dataclass(frozen=True)
class QueryResult(AsJson):
    """What a query found.

    Attributes:
        found: the answer as it came, in terms of pyoxigraph.
    """

    found: RawResult = field(repr=False)

    @property
    def title(self) -> str:
        """The question in words; "" for a query of one's own."""
        return self.found.title

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the columns of a SELECT query."""
        return tuple(self.found.variables)

    @cached_property
    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows of a SELECT query.

        An IRI is an rdflib.URIRef and a blank node an rdflib.BNode, both of which are texts of Python too. A literal is
        an int, float, Decimal, bool, date or datetime where its datatype says so, else the text of it, whatever its
        language. What is not bound is None.
        """
        return tuple(tuple(map(_cell, row)) for row in self.found.rows)

    @property
    def truth(self) -> bool | None:
        """The answer of an ASK query, else None."""
        return self.found.truth

    @property
    def turtle(self) -> str:
        """The graph of a CONSTRUCT or DESCRIBE query as canonical Turtle, else ""."""
        return self.found.turtle

    @property
    def labels(self) -> Mapping[str, str]:
        """The names of the IRIs in the rows."""
        return self.found.labels

    @property
    def graphs(self) -> str:
        """What was asked, in words: the revisions in the default graph."""
        return self.found.graphs

    @property
    def complete(self) -> bool:
        """Whether these are all rows, and not the first of more."""
        return not self.found.more

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: what was asked by default, what is not on file, what was perhaps misspelt."""
        return (*self.found.choices, *self.found.basis, *self.found.notes)

    def to_dict(self) -> dict[str, Any]:
        """Give the answer in the SPARQL 1.1 Query Results JSON Format, as `kb query --format json` does.

        What is to be said beside the answer stands under the key "notes". That format lets other keys stand beside its
        own (3.1). Some readers take them before "results" only.

        Raises:
            QueryError: the query was CONSTRUCT or DESCRIBE, whose answer is a graph.
        """
        self._require("SELECT or ASK")
        lines = [*self.found.choices, *self.found.basis]
        notes = {"notes": lines} if lines else {}
        if self.truth is not None:
            return {"head": {}, **notes, "boolean": self.truth}
        bindings = [
            {name: _term(term) for name, term in zip(self.variables, row, strict=True) if term is not None}
            for row in self.found.rows
        ]
        return {"head": {"vars": list(self.variables)}, **notes, "results": {"bindings": bindings}}

    def to_pandas(self) -> DataFrame:
        """Give the rows of a SELECT query as a pandas.DataFrame with a column for each variable.

        Raises:
            KbError: pandas is not installed.
            QueryError: the query was not SELECT.
        """
        self._require("SELECT")
        try:
            import pandas
        except ImportError:
            raise KbError("pandas is not installed", hint="pip install 'kb-tools[pandas]'") from None
        return pandas.DataFrame(list(self.rows), columns=list(self.variables))

    def _require(self, form: str) -> None:
        if self.found.triples is not None:
            raise QueryError(f"the answer is a graph, and not one of {form}", hint="take .turtle")
        if form == "SELECT" and self.truth is not None:
            raise QueryError("the answer is yes or no, and not rows", hint="take .truth")


def _cell(term: Any) -> Cell:
    # Here, so that the command, which shows terms as they are, does not wait for it.
    from rdflib import BNode, URIRef

    if term is None:
        return None
    if isinstance(term, ox.NamedNode):
        return URIRef(term.value)
    if isinstance(term, ox.BlankNode):
        return BNode(term.value)
    if not isinstance(term, ox.Literal):
        return str(term)
    value = _VALUES.get(term.datatype.value, str)
    try:
        return value(term.value)
    except (ArithmeticError, LookupError, ValueError):
        # It is no value of its datatype.
        return term.value


def _term(term: Term) -> dict[str, str]:
    if isinstance(term, ox.NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, ox.BlankNode):
        return {"type": "bnode", "value": term.value}
    written = {"type": "literal", "value": term.value}
    if term.language:
        written["xml:lang"] = term.language
    elif term.datatype.value != f"{_XSD}string":
        written["datatype"] = term.datatype.value
    return written
