"""The form of a ready question: a field for each parameter, with what can be chosen and what is asked by default."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypedDict

import pyoxigraph as ox

from kb_tools.ask.bind import values_of
from kb_tools.ask.dataset import default_graph
from kb_tools.ask.library import Parameter, Question
from kb_tools.ask.names import Names
from kb_tools.ask.request import RawResult, Term
from kb_tools.rdf.namespaces import BASE
from kb_tools.serve.asked import bound, in_words
from kb_tools.serve.view import View

# A longer list is one of suggestions beside a field for text.
_LONGEST = 120


class Choice(TypedDict):
    """What can be chosen: as it is written, and in words."""

    value: str
    label: str


class Field(TypedDict):
    """A field of a form.

    `kind` is "choice", "suggestion", "date", "number" or "text". `default` says what is asked where it is empty.
    """

    name: str
    meaning: str
    kind: str
    choices: list[Choice]
    value: str
    default: str


def fields(view: View, question: Question, given: Mapping[str, str], found: RawResult | None = None) -> list[Field]:
    """The fields of a question, filled with what was given.

    Args:
        found: the answer, which says what a value stands for that may be a name, a number or a code; None for none.
    """
    names = _names(view, question, given)
    return [_field(view, names, question, parameter, given, found) for parameter in question.parameters]


def _field(
    view: View,
    names: Names,
    question: Question,
    parameter: Parameter,
    given: Mapping[str, str],
    found: RawResult | None,
) -> Field:
    value = given.get(parameter.name, "")
    choices = _choices(view, names, parameter)
    if value and found:
        value = _written(names, choices, bound(found, parameter.name), value)
    # What the query asks by itself stands in the list once, as what an empty field asks.
    own = [] if parameter.default or parameter == question.revision else values_of(question.text, parameter.name)
    once = _writing(names, own[0]) if len(own) == 1 else None
    value = "" if once and value == once else value
    choices = [choice for choice in choices if choice["value"] != once]
    kind = {"date": "date", "integer": "number"}.get(parameter.type, "text")
    if choices:
        kind = "choice" if len(choices) <= _LONGEST else "suggestion"
    if kind == "choice" and value and value not in {choice["value"] for choice in choices}:
        # What a reader wrote into the address and what names nothing.
        choices.insert(0, {"value": value, "label": value})
    return {
        "name": parameter.name,
        "meaning": parameter.meaning,
        "kind": kind,
        "choices": choices,
        "value": value,
        "default": _default(view, names, question, parameter),
    }


def _written(names: Names, choices: Sequence[Choice], terms: Sequence[Term], value: str) -> str:
    """A value as it stands among the choices, where it stands for one of them; else as it was given."""
    written = {_writing(names, term) for term in terms} & {choice["value"] for choice in choices}
    return written.pop() if len(written) == 1 else value


def _writing(names: Names, term: Term) -> str:
    """How a term is written as a choice."""
    if not isinstance(term, ox.NamedNode):
        return str(term.value)
    curie = names.curie(term.value)
    # A revision is written as commands name it.
    return term.value.removeprefix(BASE) if curie.startswith("<") and term.value.startswith(BASE) else curie


def _choices(view: View, names: Names, parameter: Parameter) -> list[Choice]:
    if parameter.type == "revision":
        return _revisions(view)
    if parameter.type == "policy":
        return [{"value": policy.identifier, "label": policy.title} for policy in view.bench.policies.values()]
    if parameter.type == "namespace":
        return [{"value": f"{prefix}:", "label": iri} for prefix, iri in sorted(view.bench.kb.prefixes.items())]
    if not parameter.kinds:
        return []
    if parameter.type == "text":
        return [{"value": text, "label": text} for text in sorted(names.texts(parameter.kinds), key=_in_order)]
    found = [_choice(view, names, iri) for iri in names.things(parameter.kinds, parameter.type == "class")]
    return sorted(found, key=lambda choice: _in_order(choice["label"]))


def _choice(view: View, names: Names, iri: str) -> Choice:
    return {"value": names.curie(iri), "label": _label(view, names, iri)}


def _label(view: View, names: Names, iri: str) -> str:
    graphs = sorted(names.graphs or ())
    label, number = view.bench.label(iri, graphs), view.bench.notation(iri, graphs)
    return f"{number}: {label}" if number and number != label else label


def _revisions(view: View) -> list[Choice]:
    found: list[Choice] = []
    for policy in view.bench.policies.values():
        current = view.current(policy)
        for entry in reversed(policy.history):
            name = f"{policy.identifier}/{entry.name}"
            state = " (draft)" if entry.draft else " (in force)" if current and entry.iri == current.iri else ""
            found.append({"value": name, "label": f"{name}{state}"})
    return found


def _default(view: View, names: Names, question: Question, parameter: Parameter) -> str:
    if parameter == question.revision:
        return f"in force on {view.day}"
    if parameter.type == "date" and parameter.default == "today":
        return str(view.day)
    if parameter.default:
        return parameter.default
    return ", ".join(in_words(view, term) for term in values_of(question.text, parameter.name))


def _names(view: View, question: Question, given: Mapping[str, str]) -> Names:
    """The names of what the question reads."""
    bench = view.bench
    if question.scope == "all":
        return Names(bench.kb, None, "all graphs")
    named = bench.entries.get(BASE + given.get("revision", ""))
    current = ((policy, view.current(policy)) for policy in bench.policies.values())
    chosen = [named] if named else [(policy, entry) for policy, entry in current if entry]
    return Names(bench.kb, default_graph(bench.kb, chosen), "the revisions in force")


def _in_order(text: str) -> list[tuple[int, int, str]]:
    """So that 9 stands before 10."""
    parts = re.findall(r"\d+|\D+", text.casefold())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
