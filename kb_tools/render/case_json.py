"""A case written as plain JSON, so that it is read back as it is."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.case import Case
from kb_tools.cases.form import ROOT, CaseForms, Form, Key
from kb_tools.cases.plain import NAME, JsonNumber, shown
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.namespaces import GIVEN
from kb_tools.rdf.terms import local_name


def write(plain: CaseForms, case: Case) -> dict[str, Any]:
    """A well-formed case as plain JSON. Labels and comments of the case, and names of its parts, are left out.

    Raises:
        UnreadableInput: a name or number of it cannot be written so that it is read back as it is.
    """
    named = {"id": _given(case.iri, "case/", case.title)} if case.iri else {}
    return named | _object(plain, plain.forms[ROOT], case, case.node)


def _object(plain: CaseForms, form: Form, case: Case, node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in form.keys.values():
        subject = case.value(node, key.holder.path) if key.holder else node
        values = [_value(plain, key, case, value) for value in case.values(subject, key.path)]
        if key.one_of_each:
            values.sort(key=lambda value: key.classes.index(value.get("type", key.default)))
        if values:
            found[key.name] = values if key.many or len(values) > 1 else values[0]
    return found


def _value(plain: CaseForms, key: Key, case: Case, value: Node) -> Any:
    if key.classes:
        kind = local_name(case.value(value, RDF.type))
        named = {"type": kind} if key.is_typed(kind) else {}
        return named | _object(plain, plain.forms[kind], case, value)
    if isinstance(value, Literal):
        return _literal(value, case.title)
    if key.terms:
        return local_name(value)
    if key.is_code:
        return plain.kb.curie(str(value))
    assert isinstance(value, URIRef)
    # A patient without a name is some patient: any name says as much.
    return _given(case.in_file(value), key.name + "/", case.title) or key.name


def _given(iri: str, under: str, where: str) -> str:
    """The name in a file of what has an IRI; "" for what has none."""
    name = iri.removeprefix(GIVEN + under)
    if iri and not re.fullmatch(NAME, name):
        raise UnreadableInput(f"{shown(iri)} cannot be written as JSON", where=where, hint="use an https: or urn: IRI")
    return name


def _literal(value: Literal, where: str) -> bool | int | float | str:
    """A literal as JSON, a number with no digit more or less than it has."""
    text = str(value)
    if value.datatype == XSD.boolean:
        return text == "true"
    if value.datatype not in (XSD.integer, XSD.decimal):
        return text
    exact = Decimal(text)
    number = int(exact) if exact == exact.to_integral_value() and "." not in text else float(exact)
    if Decimal(repr(number)) != exact or "e" in repr(number):
        raise UnreadableInput(f"{shown(JsonNumber(text))} has too many digits", where=where, hint="round it yourself")
    return number
