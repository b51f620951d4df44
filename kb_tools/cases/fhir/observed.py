"""The value of an observation, or of a component of one, as the finding takes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.cases.fhir.codes import Codes, unstated
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.numbers import number_literal, without_zeros
from kb_tools.cases.fhir.r4 import Decimal as JsonDecimal
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, Skipped
from kb_tools.cases.units import CannotConvert, converted
from kb_tools.cases.vocabulary import Measure
from kb_tools.errors import KbError
from kb_tools.model.units import BARE
from kb_tools.rdf.namespaces import CASE

_VALUE = re.compile(r"value[A-Z]\w*")
_UCUM = "http://unitsofmeasure.org"
# How a record calls a unit, where its code says little.
_UNITS = {"%": "percent (%)", "1": "that of a bare number (1)"}
# What a bound of one share says of the rest. Below 5 leaves more than 95, which is at least 95.
_TURNED = {CASE.atLeast: CASE.atMost, CASE.atMost: CASE.atLeast, CASE.below: CASE.atLeast}
# Numbers that are converted: those that are written without an exponent.
_PLAIN = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")
# Which property states a number with a comparator. More than 90 is at least 90.
_COMPARATORS = {">=": CASE.atLeast, ">": CASE.atLeast, "<=": CASE.atMost, "<": CASE.below}


class ObservedValue:
    """Reads the values of observations."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        self._terms = codes.terms

    def added(self, kind: Node, values: dict[URIRef, Node], root: Element, element: Element) -> dict[URIRef, Node]:
        """What codes and the value state together of a finding.

        Args:
            values: what the codes state.
            root: the observation.
            element: the observation or the component with the value.

        Raises:
            Skipped: they state nothing, or contradict each other.
        """
        given = names_of_values(element)
        if len(given) > 1:
            raise Skipped(NOT_UNDERSTOOD, "more than one value", *map(element.at, given))
        if given:
            path = element.at(given[0])
            value = self._value(kind, element, given[0])
            if self._is_the_rest(root, element):
                value = self._rest(kind, value, path)
            measure = self._terms.measure_of(kind)
            twice = measure and not (measure.properties.isdisjoint(values) or measure.properties.isdisjoint(value))
            if twice:
                raise Skipped(NOT_UNDERSTOOD, "its code states a value too", path)
            values = self._codes.merged(values, value, path)
        if not self._terms.counts(kind, values):
            raise Skipped(NOT_UNDERSTOOD, "no value", element.at("value[x]"))
        self._require_interpretation(kind, values, element)
        return values

    def _value(self, kind: Node, element: Element, name: str) -> dict[URIRef, Node]:
        """What the value of an observation, or of a component, states."""
        path = element.at(name)
        if name == "valueCodeableConcept":
            return self._coded_value(kind, element.codings(name), path)
        measure = self._terms.measure_of(kind)
        if measure and name == "valueInteger" and measure.unit == "1":
            return self._number(kind, measure, element.get(name), "", path)
        quantity = element.one(name) if measure and name == "valueQuantity" else None
        if measure is None or quantity is None:
            raise Skipped(NOT_UNDERSTOOD, "a value of a type that is not read for this finding", path)
        bare = measure.unit == "1" and not any(map(quantity.get, ("system", "code", "unit")))
        value, code = quantity.get("value"), quantity.text("code")
        if not bare and (quantity.text("system") != _UCUM or (code != measure.unit and measure.unit in BARE)):
            raise Skipped(NOT_UNDERSTOOD, f"its unit is not {_UNITS.get(measure.unit, measure.unit)} in UCUM", path)
        if not bare and code != measure.unit:
            value = _in_unit(value, code, measure.unit, path)
        return self._number(kind, measure, value, quantity.text("comparator"), path)

    def conversion(self, kind: Node, element: Element) -> str:
        """What a record says of a value that was converted into another unit; "" where none was."""
        measure, quantity = self._terms.measure_of(kind), element.one("valueQuantity")
        if measure is None or quantity is None or measure.unit in BARE or quantity.text("code") == measure.unit:
            return ""
        return f"its value in {quantity.text('code')} is converted into {measure.unit}"

    def _coded_value(self, kind: Node, codings: Sequence[Element], path: str) -> dict[URIRef, Node]:
        found = self._codes.values(kind, codings)
        meanings = self._codes.meanings(codings)
        known = [coding for coding in codings if self._codes.meaning(coding)]
        if found and any(not self._codes.values(kind, [coding]) for coding in known):
            raise Skipped(NOT_UNDERSTOOD, "its codes contradict each other", path)
        for near in filter(None, map(self._codes.near, codings)):
            if found and not near.meaning.concepts & set(found.values()):
                raise Skipped(NOT_UNDERSTOOD, near.hint, path)
        if found:
            return found
        if meanings:
            text = ". ".join(unstated(meanings)) or "the value says nothing of this finding"
            doubtful = any(meaning.concepts or meaning.kind for meaning in meanings)
            raise Skipped(IGNORED, text, path, doubtful=doubtful)
        raise Skipped(NOT_UNDERSTOOD, self._codes.unknown(codings) or "no code", path)

    def _number(self, kind: Node, measure: Measure, value: Any, comparator: str, path: str) -> dict[URIRef, Node]:
        """A number or a bound, in the property that states it."""
        if comparator and comparator not in _COMPARATORS:
            raise Skipped(NOT_UNDERSTOOD, "not a comparator of FHIR R4", path)
        value = without_zeros(value) if measure.integral else value
        if measure.integral and isinstance(value, int) and comparator in ("<", ">"):
            value, comparator = value + (1 if comparator == ">" else -1), comparator + "="
        property_ = measure.bounds.get(_COMPARATORS[comparator]) if comparator else measure.exact
        if property_ is None:
            raise Skipped(NOT_UNDERSTOOD, "a bound that this finding cannot have", path)
        return {property_: number_literal(self._terms.keys[kind, property_], value, path)}

    def _is_the_rest(self, root: Element, element: Element) -> bool:
        """Whether a number is the rest of what a finding states, by the code of its component, else of the panel."""
        for coded in (element, root) if element is not root else (root,):
            stating = [meaning for meaning in self._codes.meanings(coded.codings("code")) if meaning.kind]
            if stating:
                if len({meaning.complement for meaning in stating}) > 1:
                    raise Skipped(NOT_UNDERSTOOD, "its codes contradict each other", coded.at("code"))
                return stating[0].complement
        return False

    def _rest(self, kind: Node, value: dict[URIRef, Node], path: str) -> dict[URIRef, Node]:
        """What is stated of the rest of a hundred percent: 100 minus a number, and the other bound."""
        measure = self._terms.measure_of(kind)
        turned = {measure.exact: measure.exact} if measure else {}
        for bound, other in (_TURNED if measure else {}).items():
            if measure and bound in measure.bounds and other in measure.bounds:
                turned[measure.bounds[bound]] = measure.bounds[other]
        found: dict[URIRef, Node] = {}
        for property_, stated in value.items():
            if property_ not in turned:
                raise Skipped(NOT_UNDERSTOOD, "a bound that this finding cannot have", path)
            rest = Literal(str(100 - Decimal(str(stated))), datatype=XSD.decimal, normalize=False)
            found[turned[property_]] = rest
        return found

    def _require_interpretation(self, kind: Node, values: dict[URIRef, Node], element: Element) -> None:
        """Raises `Skipped` for what is interpreted otherwise than it states, or as saying nothing for certain."""
        concepts = element.all("interpretation")
        if not concepts:
            return
        codings = [coding for concept in concepts for coding in concept.all("coding")]
        unclear = any(not meaning.concepts for meaning in self._codes.meanings(codings))
        interpreted = {} if unclear else self._codes.values(kind, codings)
        if unclear or any(values.get(property_, concept) != concept for property_, concept in interpreted.items()):
            raise Skipped(
                NOT_UNDERSTOOD, "value and interpretation contradict each other", element.at("interpretation")
            )


def _in_unit(value: Any, code: str, unit: str, path: str) -> Any:
    """A JSON number as it is in another unit.

    Raises:
        Skipped: it is no number, or cannot be converted safely.
    """
    text = value.text if isinstance(value, JsonDecimal) else str(value)
    if isinstance(value, bool) or not _PLAIN.fullmatch(text):
        raise Skipped(NOT_UNDERSTOOD, "not a number that this finding can have", path)
    try:
        found = converted(Decimal(text), code, unit)
    except (CannotConvert, KbError) as error:
        raise Skipped(NOT_UNDERSTOOD, f"its value is not in {unit}: {error}", path) from error
    return int(found) if found == found.to_integral_value() else JsonDecimal(f"{found:f}")


def names_of_values(element: Element) -> list[str]:
    """The names of the elements of an observation, or of a component, that state its value."""
    return sorted([name for name in element.content if name[:5] == "value" and _VALUE.fullmatch(name)])
