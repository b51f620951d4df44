"""SDC: how a form fills itself from a patient's chart, as FHIRPath over searches of FHIR R4, read off the terminology.

Each group of a class of findings gets its resources (`itemPopulationContext`), one group for each, and each of its
items what the resource says of it (`initialExpression`). Only what the reader of FHIR surely takes for the same
finding is filled in: a known code, a status that makes it final, a full date, one value. Where the chart has another
resource with a code of that class (not final, or not surely understood), nothing of the class is filled in, since what
that one says may be newer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from rdflib import URIRef
from rdflib.term import Node

from kb_tools.cases.form import Form, Key
from kb_tools.cases.meaning import Meaning
from kb_tools.cases.terminology import Terminology
from kb_tools.cases.vocabulary import Measure
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
CONTEXT, INITIAL = f"{_SDC}itemPopulationContext", f"{_SDC}initialExpression"
_FHIRPATH = "text/fhirpath"
_UCUM = "http://unitsofmeasure.org"
# The searches of the chart, by the name of the variable that holds what is found.
SEARCHES = {
    name: f"{type_}?patient={{{{%patient.id}}}}"
    for name, type_ in (
        ("conditions", "Condition"),
        ("procedures", "Procedure"),
        ("observations", "Observation"),
    )
}
# Statuses of R4 that make a thing so, and those of what was never so, by type.
_FINAL = {"Procedure": ("completed",), "Observation": ("final", "amended", "corrected")}
_NEVER = ("entered-in-error", "cancelled", "not-done")
# The clinical statuses that go with a code which says that the disease is there, and with one that it is not.
_PRESENT, _GONE = ("active", "recurrence", "relapse"), ("inactive", "remission", "resolved")
# What else an observation can say, beside its code and its value.
_ELSEWHERE = ("focus", "component", "hasMember", "dataAbsentReason", "interpretation")
# That nothing changes what a resource means.
_PLAIN = ("modifierExtension.empty()", "implicitRules.empty()")
# Verification statuses with which a condition is not surely so, and may be.
_UNSURE = ("differential", "provisional", "unconfirmed")
# Comparators of FHIR by the bound that each states.
_COMPARATORS = {CASE.atLeast: ">=", CASE.atMost: "<=", CASE.below: "<"}

Code: TypeAlias = tuple[str, str]
# Codes by the IRI of the term that each states.
_ByTerm: TypeAlias = Mapping[str, Sequence[Code]]


def launch_context() -> list[dict[str, Any]]:
    """The extensions of a Questionnaire that name the patient and the searches of the chart."""
    coding = {"system": "http://hl7.org/fhir/uv/sdc/CodeSystem/launchContext", "code": "patient", "display": "Patient"}
    parts = [{"url": "name", "valueCoding": coding}, {"url": "type", "valueCode": "Patient"}]
    variables = [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/variable",
            "valueExpression": {"name": name, "language": "application/x-fhir-query", "expression": search},
        }
        for name, search in SEARCHES.items()
    ]
    return [{"url": f"{_SDC}launchContext", "extension": parts}, *variables]


@dataclass(frozen=True)
class Filling:
    """How a group of a class of findings is filled.

    Attributes:
        context: gives the resources, one for each finding.
        items: by property: gives what the resource says of it; of a term its local name alone.
        terms: by property: gives, by term, whether the resource states it.
    """

    context: str
    items: Mapping[URIRef, str]
    terms: Mapping[URIRef, Mapping[str, str]]


class Population:
    """Writes the expressions."""

    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology
        self._terms = terminology.vocabulary
        self._known: dict[str, Filling | None] = {}

    def of_group(self, form: Form) -> list[dict[str, Any]]:
        """The extensions of the group of a class of findings; none where nothing of the chart fills it."""
        filling = self._filling(form)
        return [_expression(CONTEXT, filling.context, form.name)] if filling else []

    def of_item(self, form: Form, key: Key, link_id: str) -> list[dict[str, Any]]:
        """The extensions of the item for a property of a class of findings; none where nothing of the chart fills it.

        Args:
            link_id: of the item, whose options are the terms that it can be answered with.
        """
        filling = self._filling(form)
        if filling is None:
            return []
        if filling.terms.get(key.path):
            # With iif, since "and" looks at both of its sides: there are many options, and many codes.
            chosen = " or ".join(
                f"iif(code = '{local_name(iri)}', {holds}, false)" for iri, holds in filling.terms[key.path].items()
            )
            options = f"%questionnaire.repeat(item).where(linkId = '{link_id}').answerOption.value.ofType(Coding)"
            return [_expression(INITIAL, f"{options}.where({chosen})")]
        return [_expression(INITIAL, filling.items[key.path])] if key.path in filling.items else []

    def _filling(self, form: Form) -> Filling | None:
        if form.name not in self._known:
            self._known[form.name] = self._made(form)
        return self._known[form.name]

    def _made(self, form: Form) -> Filling | None:
        listed = any(key.terms and key.kind is None and key.path != CASE.basis for key in form.keys.values())
        if form.name not in self._terms.kinds or listed:
            # What the shapes list by itself, as that there was none of a class, is no value of a resource.
            return None
        if CLIN.disease in self._terms.domain[form.iri]:
            return self._of_conditions(form)
        if self._terms.is_done(form.iri):
            return self._of_procedures(form)
        return self._of_observations(form)

    # ------------------------------------------------------------------ what was done

    def _of_procedures(self, form: Form) -> Filling | None:
        """Of what was done by its code: the day, and what the code states."""
        stating = {code: meaning for code, meaning in self._stating(form) if not meaning.leaves_open}
        if not stating:
            return None
        node = f"%{form.name}"
        terms = {
            key.path: {
                iri: _has(f"{node}.code", codes)
                for iri, codes in self._by_term(key, stating, lambda meaning: dict(meaning.values)).items()
            }
            for key in form.keys.values()
            if key.terms
        }
        single = "performed.ofType(dateTime)"
        span = "performed.ofType(Period).end"
        known = _has("code", stating)
        # Two codes that state different things contradict each other.
        alike = self._alike(form, stating, "code")
        other = [
            code
            for code, meaning in self._terminology.meanings.items()
            if meaning.kind not in (None, form.iri) and self._terms.is_done(meaning.kind)
        ]
        guards = (known, f"{_has('code', other)}.not()", f"({_full(single)} or {_full(span)})", *alike)
        context = _found("Procedure", _has("code", dict(self._stating(form))), guards)
        return Filling(context, {CASE.date: f"({node}.{_day(single)} | {node}.{_day(span)})"}, terms)

    # ------------------------------------------------------------------ diseases

    def _of_conditions(self, form: Form) -> Filling | None:
        """Of conditions whose code says of which disease they are, and how that stands."""
        disease = next(key for key in form.keys.values() if key.path == CLIN.disease)
        status = next(key for key in form.keys.values() if key.path == CLIN.diseaseStatus)
        stating: dict[Code, Meaning] = {}
        stated: dict[Code, dict[Node, Node]] = {}
        for code, meaning in self._terminology.meanings.items():
            named = {str(concept) for concept in meaning.concepts}
            of, stands = named & set(disease.terms.values()), named & set(status.terms.values())
            if len(of) == len(stands) == 1:
                stating[code] = meaning
                stated[code] = {disease.path: URIRef(*of), status.path: URIRef(*stands)}
        if not stating:
            return None
        node = f"%{form.name}"
        terms = {
            key.path: {
                iri: _has(f"{node}.code", [code for code in stating if str(stated[code][key.path]) == iri])
                for iri in dict.fromkeys(str(values[key.path]) for values in stated.values())
            }
            for key in (disease, status)
        }
        gone = [code for code, meaning in stating.items() if meaning.not_present]
        there = [code for code in stating if code not in gone]
        confirmed = "verificationStatus.coding.where(code != 'confirmed').empty()"
        diseases = [code for code, meaning in self._terminology.meanings.items() if self._is_of_a_disease(meaning)]
        assessed = dict(self._stating(form))
        stands_so = " or ".join(
            f"({_has('code', codes)} and clinicalStatus.coding.where({_not_in(statuses)}).empty())"
            for codes, statuses in ((there, _PRESENT), (gone, _GONE))
            if codes
        )
        # What says how a disease stands otherwise than by its code alone.
        telling = (
            f"verificationStatus.coding.where({_in(_UNSURE)}).exists() or abatement.exists() or "
            f"(clinicalStatus.coding.where({_not_in(('active',))}).exists() and {_has('code', stating)}.not())"
        )
        all_ = "%conditions.entry.resource.ofType(Condition)"
        others = (
            f"{all_}.where({_has('code', diseases)}).where({telling}).empty()",
            f"%observations.entry.resource.where({_has('code', assessed)}).empty()",
        )
        # One code alone, so that nothing else is said of the disease by another.
        guards = (confirmed, "code.coding.count() = 1", f"({stands_so})", _full("recordedDate"), *_PLAIN)
        context = _chained(all_, (*others, *guards))
        return Filling(context, {CASE.date: f"{node}.{_day('recordedDate')}"}, terms)

    # ------------------------------------------------------------------ what was observed

    def _of_observations(self, form: Form) -> Filling | None:
        """Of observations: the day, what elements state, and the value, which is a code or a number."""
        stating = {
            code: meaning
            for code, meaning in self._stating(form)
            if not meaning.values and not meaning.complement and not meaning.leaves_open
        }
        if not stating:
            return None
        node = f"%{form.name}"
        terms: dict[URIRef, Mapping[str, str]] = {}
        guards: list[str] = []
        elements = dict(self._terms.elements_of(form.iri))
        valued = False
        for key in (key for key in form.keys.values() if key.terms and key.path not in (CASE.basis,)):
            by_term = self._by_term(key, self._terminology.meanings, self._concepts_of)
            element = elements.get(key.path)
            place = element or "value.ofType(CodeableConcept)"
            terms[key.path] = {iri: _has(f"{node}.{place}", codes) for iri, codes in by_term.items()}
            known = [code for codes in by_term.values() for code in codes]
            one = f"({place}.coding.count() = 1 and {_has(place, known)})"
            guards.append(f"({element}.empty() or {one})" if element else one)
            valued = valued or not element
        measure = self._terms.measure_of(form.iri)
        items = {CASE.date: f"{node}.{_day('effective.ofType(dateTime)')}"}
        if measure:
            numbers = dict(_numbers(measure))
            items |= {property_: f"{node}.select({number})" for property_, number in numbers.items()}
            guards.append(f"({' | '.join(numbers.values())}).count() = 1")
        elif not valued:
            return None
        plain = (f"{name}.empty()" for name in _ELSEWHERE)
        codes = dict(self._stating(form))
        day = _full("effective.ofType(dateTime)")
        taken = (_has("code", stating), "code.coding.count() = 1", day, *plain, *guards)
        # A condition can state a finding of the class too.
        by_condition = f"%conditions.entry.resource.where({_has('code', codes)}).empty()"
        context = _found(
            "Observation", f"({_has('code', codes)} or {_has('component.code', codes)})", taken, by_condition
        )
        return Filling(context, items, terms)

    # ------------------------------------------------------------------ codes

    def _stating(self, form: Form) -> Iterator[tuple[Code, Meaning]]:
        """The codes that state a finding of a class."""
        return ((code, meaning) for code, meaning in self._terminology.meanings.items() if meaning.kind == form.iri)

    def _is_of_a_disease(self, meaning: Meaning) -> bool:
        return any(CLIN.Disease in self._terms.classes[concept] for concept in meaning.concepts)

    @staticmethod
    def _by_term(
        key: Key, stating: Mapping[Code, Meaning], values: Callable[[Meaning], Mapping[Any, Any]]
    ) -> dict[str, list[Code]]:
        """The codes by the term of a property that each states."""
        found: dict[str, list[Code]] = {}
        for code, meaning in stating.items():
            stated = {str(value) for value in values(meaning).values()} & set(key.terms.values())
            if len(stated) == 1:
                found.setdefault(stated.pop(), []).append(code)
        return found

    @staticmethod
    def _concepts_of(meaning: Meaning) -> Mapping[str, str]:
        return {str(concept): str(concept) for concept in meaning.concepts}

    def _alike(self, form: Form, stating: Mapping[Code, Meaning], element: str) -> list[str]:
        """That the codes of an element state one value of each property at most."""
        guards = []
        for key in form.keys.values():
            by_term = self._by_term(key, stating, lambda meaning: dict(meaning.values)) if key.terms else {}
            several = [f"iif({_has(element, codes)}, 1, 0)" for codes in by_term.values()]
            guards += [f"{' + '.join(several)} <= 1"] if len(several) > 1 else []
        return guards


def _numbers(measure: Measure) -> Iterator[tuple[URIRef, str]]:
    """The number that a value states, by the property that takes it: exactly, or as a bound."""
    unit = f"(system = '{_UCUM}' and code = '{measure.unit}')"
    if measure.unit == "1":
        unit = f"({unit} or (system.empty() and code.empty() and unit.empty()))"
    whole = ".where($this mod 1 = 0)" if measure.integral else ""
    exact = f"value.ofType(Quantity).where(comparator.empty() and {unit}).value{whole}"
    yield measure.exact, f"(value.ofType(integer) | {exact})" if measure.unit == "1" else exact
    for bound, property_ in measure.bounds.items():
        if bound == CASE.below and measure.integral:
            continue
        yield property_, f"value.ofType(Quantity).where(comparator = '{_COMPARATORS[bound]}' and {unit}).value{whole}"


# ---------------------------------------------------------------------- FHIRPath


def _expression(url: str, expression: str, name: str = "") -> dict[str, Any]:
    named = {"name": name} if name else {}
    return {"url": url, "valueExpression": {**named, "language": _FHIRPATH, "expression": expression}}


def _found(type_: str, known: str, guards: Sequence[str], *others: str) -> str:
    """The resources of a type that a finding is made of; none where one of the class is not final or not understood.

    Args:
        known: whether a resource has a code of the class.
        guards: whether it is understood.
        others: what else there must be for anything to be filled in.
    """
    all_ = f"%{type_.lower()}s.entry.resource.ofType({type_})"
    taken = (f"({_in(_FINAL[type_], 'status')})", *_PLAIN, *guards)
    unclear = f"{all_}.where({_not_in(_NEVER, 'status')}).where({known}).where(({' and '.join(taken)}).not())"
    return _chained(all_, (f"{unclear}.empty()", *others, *taken))


def _chained(all_: str, guards: Iterable[str]) -> str:
    return all_ + "".join(f".where({guard})" for guard in guards)


def _has(element: str, codes: Collection[Code]) -> str:
    """Whether an element has one of some codes."""
    alternatives = [
        f"(system = '{system}' and {_among([code for _, code in group])})"
        for system, group in groupby(sorted(codes), key=lambda code: code[0])
    ]
    return f"{element}.coding.where({' or '.join(alternatives)}).exists()"


def _among(codes: Sequence[str]) -> str:
    """Whether the code is one of many: by one search of a text, since an "or" of hundreds is too deep for engines."""
    return f"code = '{codes[0]}'" if len(codes) == 1 else f"'|{'|'.join(codes)}|'.contains('|' + code + '|')"


def _in(codes: Iterable[str], name: str = "code") -> str:
    return " or ".join(f"{name} = '{code}'" for code in codes)


def _not_in(codes: Iterable[str], name: str = "code") -> str:
    return " and ".join(f"{name} != '{code}'" for code in codes)


def _full(element: str) -> str:
    """Whether an element states a full date."""
    return f"{element}.where(toString().length() >= 10).exists()"


def _day(element: str) -> str:
    """The day that an element prints, in its own time zone."""
    return f"{element}.where(toString().length() >= 10).select(toString().substring(0, 10).toDate())"
