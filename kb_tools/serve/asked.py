"""What a ready question was asked for: the value of each parameter, the query as it was run, the name of its files."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypedDict

import pyoxigraph as ox

from kb_tools.ask.bind import values_of
from kb_tools.ask.library import Question
from kb_tools.ask.request import RawResult, Term
from kb_tools.rdf.namespaces import BASE, CASE
from kb_tools.rdf.terms import local_name
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

# The longest name of a file, without its ending.
_LONGEST = 80
# What a parameter of a question is bound to in words, as the answer says it.
_SAID = re.compile(r"for (\w+) ")
_CLASS = re.compile(r"\ba (\w+):(\w+)")


class Asked(TypedDict):
    """A parameter of a question, and in words the value for which it was asked."""

    name: str
    meaning: str
    value: str


def asked_for(view: View, question: Question, found: RawResult) -> list[Asked]:
    """The value of each parameter of a question, given or by default, as the answer has it."""
    return [
        {
            "name": parameter.name,
            "meaning": parameter.meaning,
            "value": ", ".join(in_words(view, term) for term in terms),
        }
        for parameter in question.parameters
        if (terms := bound(found, parameter.name))
    ]


def bound(found: RawResult, parameter: str) -> list[Term]:
    """The terms that a parameter stands for in the query of an answer; none where that does not bind it."""
    if f"VALUES ?{parameter} {{" not in found.query:
        return []
    # Not remembered: what is bound can be any text of a reader.
    return list(values_of.__wrapped__(found.query, parameter))


def in_words(view: View, term: Term) -> str:
    """A value as a reader knows it: the name of a revision, a number or place with the name, or the text."""
    if not isinstance(term, ox.NamedNode):
        return str(term.value)
    if term.value in view.bench.entries:
        return term.value.removeprefix(BASE)
    label, number = view.bench.label(term.value, view.graphs), view.bench.notation(term.value, view.graphs)
    return f"{number}: {label}" if number and number != label else label


def stated(view: View, question: Question, found: RawResult) -> RawResult:
    """The answer, which says for what it was asked, and why nothing is found where the data hold no such thing."""
    names = {parameter.name for parameter in question.parameters}
    told = [f"for {asked['name']} {asked['value']}" for asked in asked_for(view, question, found)]
    rest = [line for line in found.choices if not ((said := _SAID.match(line)) and said[1] in names)]
    lacking = _lacking(view.bench, question, found) if not found.rows and found.truth is None else []
    return replace(found, choices=[*told, *rest], notes=[*found.notes, *lacking])


def query_of(found: RawResult) -> str:
    """The query as it was run, headed by its question; without the lines that are for the tool."""
    lines = [line for line in found.query.splitlines() if not line.startswith("#")]
    return f"# {found.title}\n" + "\n".join(lines).strip() + "\n"


def file_name(question: Question, found: RawResult) -> str:
    """The name of a file of an answer, without its ending: the question, and the values for which it was asked."""
    values = [bound(found, parameter.name) for parameter in question.parameters]
    parts = [question.name, *("-".join(map(_slug, terms)) for terms in values)]
    return "-".join(filter(None, parts))[:_LONGEST].strip("-.")


def _slug(term: Term) -> str:
    text = local_name(term.value) if isinstance(term, ox.NamedNode) else str(term.value)
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")


def _lacking(bench: Workbench, question: Question, found: RawResult) -> list[str]:
    """That there is nothing of a kind that the query asks for, and how it comes into the data."""
    notes = []
    for prefix, name in dict.fromkeys(_CLASS.findall(found.query)):
        iri = bench.kb.prefixes.get(prefix, "") + name
        if any(bench.is_a(thing, iri) for thing in bench.things):
            continue
        note = f"the knowledge base holds no {bench.label(iri)}"
        if iri.startswith(str(CASE)):
            note += (
                ": cases and what they come to are not kept in it; kb validate --format turtle writes determinations, "
                f"kb replay --format turtle decision records, and kb query {question.name} with such a file as data "
                "asks about them"
            )
        notes.append(note)
    return notes
