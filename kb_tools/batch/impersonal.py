"""Tells whether what a case states can tell of a person: only what surely cannot is kept between runs."""

from __future__ import annotations

from rdflib import Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.batch.opening import Frozen
from kb_tools.cases.form import CaseForms, Key
from kb_tools.rdf.namespaces import GIVEN

_DATATYPES = (XSD.boolean, XSD.decimal, XSD.integer)
_TYPE = "type"


class Impersonal:
    """Knows which keys of a case take nothing but terms, codes, numbers, and yes or no, and which IRIs are terms."""

    def __init__(self, forms: CaseForms) -> None:
        keys: dict[str, list[Key]] = {}
        for form in forms.forms.values():
            for key in form.keys.values():
                keys.setdefault(key.name, []).append(key)
        self._texts = {name for name, of_name in keys.items() if all(key.terms or key.is_code for key in of_name)}
        self._keys = {
            name
            for name, of_name in keys.items()
            if all(key.terms or key.is_code or key.classes or key.datatype in _DATATYPES for key in of_name)
        }
        self._types = set(forms.forms)
        self._vocabularies = tuple(forms.kb.prefixes.values())

    def items(self, items: Frozen) -> bool:
        """Whether no key and no value of these can tell of a person; the reader has taken them."""
        return all(self._item(key, value) for key, value in items)

    def _item(self, key: str, value: Frozen) -> bool:
        if key == _TYPE:
            return isinstance(value, str) and value in self._types
        return key in self._keys and self._value(key, value)

    def _value(self, key: str, value: Frozen) -> bool:
        if isinstance(value, tuple):
            kind, *inner = value
            if kind == "{}":
                return self.items(inner)
            # An array, or a number, which is a tuple of its text alone.
            return not inner or (kind == "[]" and all(self._value(key, one) for one in inner))
        return isinstance(value, bool) or (isinstance(value, str) and key in self._texts)

    def value(self, value: Node) -> bool:
        """Whether a value cannot tell of a person: a term or code of a vocabulary on file, a number, or yes or no."""
        if isinstance(value, Literal):
            return value.datatype in _DATATYPES
        iri = str(value)
        return isinstance(value, URIRef) and iri.startswith(self._vocabularies) and not iri.startswith(GIVEN)
