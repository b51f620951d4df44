"""The form of a case: what the case shapes allow it to say, with what a revision asks for beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from rdflib import URIRef
from rdflib.namespace import SKOS, XSD
from rdflib.term import Node

from kb_tools.cases.form import ROOT, CaseForms, Form, Key
from kb_tools.cases.narrowed import narrowed
from kb_tools.cases.schema import ID_HINT, NAME_HINT
from kb_tools.cases.template import asked, takes
from kb_tools.model.concepts import abbreviation
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import CASE
from kb_tools.serve.case.fields import Fields
from kb_tools.serve.case.words import in_form

# What says which policy is meant, beside service and codes.
_CHOOSING = (CASE.payer,)
_CONTROLS = {XSD.boolean: "truth", XSD.date: "date", XSD.integer: "number", XSD.decimal: "number"}
# The longest text for which one line is enough, in characters, and the most terms that are not grouped.
_LINE, _FEW = 120, 15


class Option(TypedDict):
    """One value of a field, with what people call it."""

    value: str
    label: str
    definition: str


class Options(TypedDict):
    """The values of a field that belong together; the label of the group is "" where there is only one."""

    label: str
    options: list[Option]


class Field(TypedDict):
    """A field, as the case shapes describe it, and whether the revision reads it.

    `control` is "term" (one of `options`), "terms" (any of them), "truth", "date", "number", "text", "lines", "code",
    "name", "object" or "rows". `asks` says which criteria ask for it, and what they ask. `sections` are what an object
    or each row can be.
    """

    key: str
    label: str
    definition: str
    hint: str
    control: str
    many: bool
    required: bool
    read: bool
    asks: list[str]
    options: list[Options]
    sections: list[Section]


class Section(TypedDict):
    """The fields of an object, whether the revision reads it, and which criteria ask for it, and what they ask."""

    name: str
    label: str
    definition: str
    read: bool
    asks: list[str]
    fields: list[Field]


def section(forms: CaseForms, revision: Revision | None, codes: Mapping[str, str]) -> Section:
    """The form of a case.

    Args:
        revision: whose questions stand beside the fields.
        codes: the codes that are offered, each with what it is called.
    """
    found = _Sections(forms, revision, codes).of(forms.forms[ROOT])
    hint = f"{ID_HINT} {NAME_HINT}"
    named = _field("id", "name of the case", "", hint, "name")
    return {**found, "fields": [named, *found["fields"]]}


def _field(key: str, label: str, definition: str, hint: str, control: str) -> Field:
    return {
        "key": key,
        "label": label,
        "definition": definition,
        "hint": hint,
        "control": control,
        "many": False,
        "required": False,
        "read": True,
        "asks": [],
        "options": [],
        "sections": [],
    }


class _Sections:
    def __init__(self, forms: CaseForms, revision: Revision | None, codes: Mapping[str, str]) -> None:
        self.forms = forms
        self.asked: Mapping[str, Sequence[str]] = asked(revision) if revision else {}
        # Where no revision is chosen, any may read all that can be stated.
        self.read = narrowed(forms, [revision]).forms if revision else forms.forms
        self.codes = codes

    def of(self, form: Form) -> Section:
        return {
            "name": form.name,
            "label": form.label,
            "definition": in_form(self.forms.kb, form.definition),
            "read": form.name in self.read,
            "asks": list(self.asked.get(str(form.iri), ())),
            "fields": [self._field(form, key) for key in form.keys.values()],
        }

    def _is_read(self, form: Form, key: Key) -> bool:
        """Whether the revision reads what a key states, or that says which policy is meant."""
        kept = self.read.get(form.name)
        inner = any(inner.path in _CHOOSING for name in key.classes for inner in self.forms.forms[name].keys.values())
        return inner or key.path in _CHOOSING or (kept is not None and key.name in kept.keys)

    def _field(self, form: Form, key: Key) -> Field:
        hint = "" if key.terms or key.classes else in_form(self.forms.kb, takes(key))
        if key.is_code and any(options["options"] for options in self._options(key)):
            hint += " A code that a policy on file lists can be given by its number alone."
        definition = in_form(self.forms.kb, key.definition)
        return {
            **_field(key.name, key.label, definition, hint, _control(key)),
            "many": key.many,
            "required": key.required,
            "read": self._is_read(form, key),
            "asks": list(self.asked.get(str(key.path), ())),
            "options": self._options(key),
            "sections": [self.of(self.forms.forms[name]) for name in key.classes],
        }

    def _options(self, key: Key) -> list[Options]:
        if key.is_code:
            fitting = {code: label for code, label in self.codes.items() if re.fullmatch(key.pattern, code)}
            return [{"label": "", "options": [_option(code, label) for code, label in fitting.items()]}]
        groups: dict[str, list[Option]] = {}
        for name, iri in key.terms.items():
            definition = str(self.forms.kb.ontology.value(URIRef(iri), SKOS.definition) or "")
            short = abbreviation(definition)
            label = self.forms.kb.labels.get(iri, name)
            option = _option(name, f"{label} ({short})" if short else label, definition)
            groups.setdefault(self._group(key, URIRef(iri)), []).append(option)
        return [
            {
                "label": self.forms.kb.labels.get(group, ""),
                # First that which the group is called after, then its kinds.
                "options": sorted(options, key=lambda option: (key.terms[option["value"]] != group, option["label"]))
                if group
                else options,
            }
            for group, options in groups.items()
        ]

    def _group(self, key: Key, term: URIRef) -> str:
        """The term after which the group of a term is called; "" where there are few terms.

        That is the one next to the broadest, where it has kinds of its own, else the broadest.
        """
        if len(key.terms) <= _FEW:
            return ""
        line: list[URIRef] = [term]
        while broader := self._next(key, line[-1], SKOS.broader):
            line.append(broader)
        *_, second, top = [term, *line]
        return str(second if self._next(key, second, SKOS.narrower) else top)

    def _next(self, key: Key, term: URIRef, link: URIRef) -> URIRef | None:
        """The first term of the key, in its order, that is next to a term, one step broader or narrower."""
        graph = self.forms.kb.ontology
        near: Iterable[Node] = (
            graph.objects(term, SKOS.broader) if link == SKOS.broader else graph.subjects(SKOS.broader, term)
        )
        found = set(map(str, near))
        return next((URIRef(iri) for iri in key.terms.values() if iri in found), None)


def title_of(form: Section, fields: Fields, name: str) -> str:
    """What people call a field of a form, and what it stands in: "acute GvHD assessment 2, grade".

    Args:
        fields: those that are filled in, which say what each row is.
    """
    words: list[str] = []
    section: Section | None = form
    at, *keys = name.split(".")
    for part in keys:
        key, _, row = part.partition("[")
        at = f"{at}.{part}"
        field = next((field for field in section["fields"] if field["key"] == key), None) if section else None
        if field is None:
            return ", ".join([*words, part])
        kind = next(iter(fields.get(f"{at}.type", ())), "")
        section = next((inner for inner in field["sections"] if not row or inner["name"] == kind), None)
        if row:
            words.append(f"{section['label'] if section else field['label']} {int(row.rstrip(']')) + 1}")
        elif field["control"] != "object" or at == name:
            words.append(field["label"])
    return ", ".join(words)


def _option(value: str, label: str, definition: str = "") -> Option:
    return {"value": value, "label": label, "definition": definition}


def _control(key: Key) -> str:
    if key.classes:
        return "rows" if key.many else "object"
    if key.terms:
        return "terms" if key.many else "term"
    if key.is_code:
        return "code"
    if key.datatype is None:
        return "name"
    long = max((most for name, most in key.lengths if name == "maxLength"), default=0) > _LINE
    return _CONTROLS.get(key.datatype, "lines" if long and not key.many else "text")
