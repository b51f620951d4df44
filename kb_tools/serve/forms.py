"""The form of a ready question: a field for each parameter, with what can be chosen and what is asked by default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypedDict

import pyoxigraph as ox

from kb_tools.ask.bind import values_of
from kb_tools.ask.dataset import default_graph
from kb_tools.ask.library import Parameter, Question
from kb_tools.ask.names import Names
from kb_tools.rdf.namespaces import BASE
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


def fields(view: View, question: Question, given: Mapping[str, str]) -> list[Field]:
    """The fields of a question, filled with what was given."""
    names = _names(view, question, given)
    return [_field(view, names, question, parameter, given) for parameter in question.parameters]


def _field(view: View, names: Names, question: Question, parameter: Parameter, given: Mapping[str, str]) -> Field:
    value = given.get(parameter.name, "")
    choices = _choices(view, names, parameter)
    kind = {"date": "date", "integer": "number"}.get(parameter.type, "text")
    if choices:
        kind = "choice" if len(choices) <= _LONGEST else "suggestion"
    if kind == "choice" and value and value not in {choice["value"] for choice in choices}:
        # What a reader wrote into the address may be a name, a number or a code as well.
        choices.insert(0, {"value": value, "label": value})
    return {
        "name": parameter.name,
        "meaning": parameter.meaning,
        "kind": kind,
        "choices": choices,
        "value": value,
        "default": _default(view, names, question, parameter),
    }


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
    terms = values_of(question.text, parameter.name)
    return ", ".join(
        _label(view, names, term.value) if isinstance(term, ox.NamedNode) else term.value for term in terms
    )


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
