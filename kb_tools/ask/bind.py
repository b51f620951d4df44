"""Binds the parameters of a ready question to what a user gave for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import pyoxigraph as ox

from kb_tools.ask.defaults import Defaults
from kb_tools.ask.names import Names, within
from kb_tools.ask.sparql import QueryError
from kb_tools.calendar_day import calendar_day
from kb_tools.errors import did_you_mean

if TYPE_CHECKING:
    from kb_tools.ask.library import Parameter, Question
    from kb_tools.model.history import RevisionEntry
    from kb_tools.model.policy import Policy
    from kb_tools.model.repository import Repository

Chosen: TypeAlias = "tuple[Policy, RevisionEntry]"
XSD = "http://www.w3.org/2001/XMLSchema#"
_MONTH = re.compile(r"\d{4}-\d{2}")
# How a value of each of these types is written.
WRITTEN = {"date": "write YYYY-MM-DD, YYYY-MM for its first day, or today", "integer": "write a whole number"}


@dataclass
class Bound:
    """The query of a question with its parameters bound.

    Attributes:
        revisions: the values of those that are revisions.
        choices: what they are bound to where the user did not say that in full, one line each.
    """

    text: str
    revisions: list[Chosen] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)


class Binder:
    """Binds parameters in one knowledge base, as a query reads it.

    Args:
        names: of the things that may be meant.
        policies: all that are on file, by identifier.
        policy: the one whose revisions are named, where several are on file.
        asked: the one whose things are meant where nothing is given; None for that policy, or any.
    """

    def __init__(
        self,
        names: Names,
        policies: Mapping[str, Policy],
        policy: Policy | None = None,
        asked: Policy | None = None,
    ) -> None:
        self.names = names
        self.policies = policies
        self.policy = policy
        self.asked = asked or policy

    def bind(self, question: Question, given: Mapping[str, str], revisions: Sequence[Chosen] = ()) -> Bound:
        """The query of a question with its parameters bound to the values given, or to their defaults.

        Args:
            revisions: those of the default graph, which the question's own revision is then.

        Raises:
            QueryError: a parameter is unknown, or its value is not of its type.
        """
        known = {parameter.name: parameter for parameter in question.parameters}
        for name in given:
            if name not in known:
                hint = did_you_mean(name, known) or f"it has: {', '.join(known) or 'none'}"
                what = f"question {question.name} has no parameter {name}"
                unquoted = f"question {question.name} has no such parameter"
                raise QueryError(what, hint=hint, unquoted=unquoted)
        bound = Bound(question.text)
        defaults = Defaults(self.names, self.policies, self.asked, revisions)
        terms: dict[str, Sequence[Any]] = {}
        if revisions and question.revision:
            known.pop("revision")
            terms["revision"] = [ox.NamedNode(entry.iri) for _, entry in revisions]
        for name, parameter in known.items():
            value = given.get(name, parameter.default)
            if value or name in given:
                terms[name] = [self._term(parameter, value, bound.choices)]
            else:
                stated = values_of(question.text, name)
                meant = defaults.of(question, parameter, stated)
                if list(meant) != list(stated):
                    terms[name] = meant
            meant = terms.get(name) or values_of(question.text, name)
            if name not in given:
                bound.choices.append(f"for {name} {self._in_words(meant)}; --param {name}=VALUE for another")
            if parameter.type == "revision":
                bound.revisions += self._known(meant)
        bound.text = _bound(question.text, terms)
        return bound

    def _in_words(self, terms: Sequence[Any]) -> str:
        return ", ".join(
            self.names.words(term.value) if isinstance(term, ox.NamedNode) else term.value for term in terms
        )

    def _known(self, terms: Sequence[Any]) -> list[Chosen]:
        """Those of the revisions that are on file; the default of a question may be of a policy that is not."""
        known = {entry.iri: (policy, entry) for policy in self.policies.values() for entry in policy.history}
        return [known[term.value] for term in terms if term.value in known]

    def _term(self, parameter: Parameter, value: str, choices: list[str]) -> ox.NamedNode | ox.Literal:
        """The term that a value given for a parameter stands for; what a reader must know of it goes to `choices`."""
        if parameter.type == "revision":
            return ox.NamedNode(self._revision(parameter, value).iri)
        if parameter.type == "policy":
            return ox.NamedNode(self.names.kb.policy(value).iri)
        if parameter.type in ("iri", "class"):
            return self._thing(parameter, value, choices)
        return self._literal(parameter, value, choices)

    def _revision(self, parameter: Parameter, value: str) -> RevisionEntry:
        kb = self.names.kb
        value = revision_name(kb, self.policy.identifier if self.policy else None, parameter.name, value)
        owner = kb.policy_of(None if "/" in value or not self.policy else self.policy.identifier, value)
        return self.policies[owner.identifier].entry(value)

    def _thing(self, parameter: Parameter, value: str, choices: list[str]) -> ox.NamedNode:
        names = self.names
        thing = names.find(parameter.name, parameter.kinds, value, parameter.type == "class")
        if value not in (thing.iri, names.curie(thing.iri)):
            choices.append(f"for {parameter.name} {names.words(thing.iri)}")
        if thing.graphs and not names.reads(thing.graphs):
            choices.append(f"{names.curie(thing.iri)} is of {within(thing.graphs)}, and not of {names.where}")
        return ox.NamedNode(thing.iri)

    def _literal(self, parameter: Parameter, value: str, choices: list[str]) -> ox.Literal:
        datatype = {"date": ox.NamedNode(XSD + "date"), "integer": ox.NamedNode(XSD + "integer")}.get(parameter.type)
        try:
            # Also where it is no text at all, but bytes that stand for none.
            value.encode()
            meant = value
            if parameter.type == "date":
                meant = _day(value).isoformat()
            elif parameter.type == "integer":
                meant = str(int(value))
        except ValueError:
            hint = WRITTEN.get(parameter.type, "write it in UTF-8")
            what, unquoted = (
                f"{parameter.name}: {said} is no {parameter.type}" for said in (ascii(value), "the value given")
            )
            raise QueryError(what, hint=hint, unquoted=unquoted) from None
        if parameter.type == "namespace":
            meant = self.names.namespace(value)
        elif parameter.kinds:
            meant, note = self.names.value(parameter.kinds, value)
            choices += [f"{parameter.name}: {note}"] if note else []
        if meant != value and not (parameter.type == "date" and value == parameter.default):
            choices.append(f"for {parameter.name} {meant}")
        return ox.Literal(meant, datatype=datatype)


def revision_name(kb: Repository, policy: str | None, parameter: str, written: str) -> str:
    """The revision that is named, as "2026-02" or "CP.MP.101/2026-02": so, or as its log or its label prints it.

    Raises:
        QueryError: no revision has that name, or several have.
    """
    if _MONTH.fullmatch(written.rpartition("/")[2]):
        return written
    names = Names(kb, None, "the knowledge base", kb.policy(policy).iri if policy else "")
    return "/".join(names.find(parameter, ["pol:Revision"], written).iri.split("/")[-2:])


@lru_cache(maxsize=256)
def values_of(text: str, name: str) -> Sequence[Any]:
    """The terms that a query binds a variable to."""
    prologue = "\n".join(line for line in text.splitlines() if line.startswith("PREFIX "))
    clause = text[text.index(f"VALUES ?{name} {{") :]
    # A text may hold a brace: the clause ends where it can be read.
    for end in re.finditer("}", clause):
        with suppress(SyntaxError):
            found: Any = ox.Store().query(f"{prologue}\nSELECT ?{name} {{ {clause[: end.end()]} }}")
            return tuple(solution[0] for solution in found)
    raise AssertionError(f"{name} is bound nowhere")


# Where a question binds one variable.
_CLAUSE = re.compile(r"VALUES \?(\w+) \{[^}]*\}")


def _bound(text: str, terms: Mapping[str, Sequence[Any]]) -> str:
    """The query with variables bound to these terms, where it binds them to others.

    In one pass: what a value holds is never taken for a clause of the query.
    """

    def clause(found: re.Match[str]) -> str:
        name = found[1]
        return f"VALUES ?{name} {{ {' '.join(map(str, terms[name]))} }}" if name in terms else found[0]

    return _CLAUSE.sub(clause, text)


def _day(written: str) -> date:
    """The day; of a month its first, as everywhere where revisions begin.

    Raises:
        ValueError: it is none.
    """
    if written == "today":
        return date.today()
    return calendar_day(f"{written}-01" if _MONTH.fullmatch(written) else written)
