"""What can still settle a case, as a FHIR R4 Questionnaire: the questions are read off the shapes and vocabularies.

An item is named after what its answer states: a group `DiseaseStatusAssessment` is one finding of that class, its child
`DiseaseStatusAssessment/diseaseStatus` that property of it, `Request/purpose` a property of the request. So what is
answered can be read back without the questionnaire.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rdflib import URIRef
from rdflib.namespace import RDF, XSD

from kb_tools.cases.form import CaseForms, Form, Key
from kb_tools.determine.in_words import how_many
from kb_tools.determine.result import REVIEW, Determination, Need
from kb_tools.model.products import product_kinds
from kb_tools.rdf.namespaces import BASE, CASE
from kb_tools.rdf.terms import local_name

_TYPES = {XSD.boolean: "boolean", XSD.integer: "integer", XSD.decimal: "decimal", XSD.date: "date"}
_HOW = "Answer what is known and leave out the rest. Nothing dated after the service date counts."
_ANY, _ALL = "Any one of these can be enough:", "All of these:"
_ABSENT = "Only where there was none: what there was none of, up to the date given."
_CONTRADICTING = "What the case says of this contradicts itself: say what is true, and correct what is not."
# R4 knows no exclusive bounds: there the case shapes refuse what is out of range.
_LIMITS = {"minInclusive": "minValue", "maxInclusive": "maxValue"}


@dataclass(frozen=True)
class Asked:
    """One thing that is asked for: findings of a class, a product of a kind, or what the request, cells or plan are.

    Attributes:
        form: the class of the finding or product, or of what has the property.
        key: the property; None for a finding and a product.
        texts: what to send in, in the words of each condition that reads it, and whether the case contradicts itself.
    """

    form: Form
    key: Key | None
    texts: tuple[str, ...]

    @property
    def link_id(self) -> str:
        return _link_id(self.form, self.key) if self.key else self.form.name


def questionnaire(plain: CaseForms, found: Determination) -> dict[str, Any] | None:
    """The Questionnaire whose answers can still settle the case; None where it is settled.

    Its URL is made of what it says, so the same questions have the same URL.
    """
    if found.needs is None:
        return None
    title = f"{found.revision.policy.identifier} revision {found.revision.entry.name}: what can still settle the case"
    items = _Items(plain, found).under(found.needs, "")
    digest = hashlib.sha256(json.dumps([title, items]).encode()).hexdigest()[:32]
    return {
        "resourceType": "Questionnaire",
        "id": digest,
        "url": f"{BASE}Questionnaire/{digest}",
        "title": title,
        "status": "active",
        "subjectType": ["Patient"],
        "description": f"{_HOW} {REVIEW}",
        "item": items,
    }


def asked(plain: CaseForms, found: Determination, conditions: Sequence[str] | None = None) -> list[Asked]:
    """What conditions read that can still change the outcome, each thing once.

    Args:
        conditions: these; all that can by default.
    """
    to_send = [iri for iri in found.revision.conditions if iri in found.to_send]
    chosen = to_send if conditions is None else conditions
    reads = {read for iri in chosen for read in found.revision.conditions[iri].reads}
    conflicting = {conflict.condition.iri for conflict in found.conflicts}

    def texts(read: URIRef) -> tuple[str, ...]:
        readers = [iri for iri in to_send if str(read) in found.revision.conditions[iri].reads]
        words = dict.fromkeys(found.revision.conditions[iri].asks_for for iri in readers)
        settling = dict.fromkeys(
            f"In doubt: {text}." for iri in readers for text in found.condition_results[iri].settling
        )
        return (*words, *settling, *([_CONTRADICTING] if conflicting.intersection(readers) else []))

    things: list[Asked] = []
    for form in plain.forms.values():
        if str(form.iri) in reads:
            things.append(Asked(form, None, texts(form.iri)))
        # A billing code is no answer to a question: it belongs to the request itself.
        held = (key for key in form.keys.values() if str(key.path) in reads and not key.holder and not key.is_code)
        things.extend(Asked(form, key, texts(key.path)) for key in held)
    return things


class _Items:
    """The items of one questionnaire. What is asked for in two places is asked once, and named in the other."""

    def __init__(self, plain: CaseForms, found: Determination) -> None:
        self.plain = plain
        self.found = found
        self.placed: set[str] = set()
        case = found.case
        self.reason = str(case.value(case.value(case.node, CASE.request), CASE.reason))
        self.stated = {str(case.value(finding, RDF.type)) for finding in case.values(case.node, CASE.finding)}
        self.products = set(product_kinds(plain.kb.ontology))
        self.absent = self._absences()

    def under(self, need: Need, number: str) -> list[dict[str, Any]]:
        """The items of the parts of a need; those that ask for the same are one."""
        items = []
        for position, part in enumerate(self._distinct(need), 1):
            items.extend(self._part(part, f"{number}.{position}" if number else str(position)))
        return items

    def _distinct(self, need: Need) -> list[Need | str]:
        """Its parts, the first of those that ask for the same."""
        found: dict[tuple[str, ...], Need | str] = {}
        for part in need.parts:
            found.setdefault(self._things(part), part)
        return list(found.values())

    def _things(self, part: Need | str) -> tuple[str, ...]:
        """What a part asks for, and how it is combined."""
        if isinstance(part, str):
            return tuple(thing.link_id for thing in asked(self.plain, self.found, [part]))
        inner = [self._things(child) for child in self._distinct(part)]
        return inner[0] if len(inner) == 1 else (part.operator, str(part.least), *sorted(map(str, inner)))

    def _part(self, part: Need | str, number: str) -> list[dict[str, Any]]:
        if isinstance(part, Need):
            if len(self._distinct(part)) == 1 and part.operator != "atLeast":
                return self._part(part.parts[0], number)
            return [self._group(number, _how_many(part), self.under(part, number))]
        items = [item for thing in asked(self.plain, self.found, [part]) for item in self._asked(thing, number)]
        if not items:
            text = f"Send with the request itself: {self.found.revision.conditions[part].asks_for}"
            return [{"linkId": number, "text": text, "type": "display"}]
        return items if len(items) == 1 else [self._group(number, _ANY, items)]

    @staticmethod
    def _group(number: str, text: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"linkId": number, "text": text, "type": "group", "item": items}

    def _asked(self, thing: Asked, number: str) -> Iterator[dict[str, Any]]:
        """The item of a thing, and of a finding that there was none, if the case states none."""
        text = " ".join(thing.texts)
        if self._again(thing.link_id):
            yield self._above(thing.link_id, number, text)
        elif thing.key:
            yield self._question(thing.form, thing.key, text)
        elif thing.form.iri in self.products:
            yield self._product(thing.form, text)
        else:
            yield self._finding(thing.form, text)
        for form, key, names in self.absent:
            if thing.key is None and thing.form.name in names:
                if self._again(form.name):
                    yield self._above(form.name, number, _ABSENT)
                else:
                    yield self._finding(form, _ABSENT, {_link_id(form, key): names})

    def _again(self, link_id: str) -> bool:
        """Whether it is asked already; from now on, it is."""
        before = link_id in self.placed
        self.placed.add(link_id)
        return before

    @staticmethod
    def _above(link_id: str, number: str, text: str) -> dict[str, Any]:
        return {"linkId": f"{number}:{link_id}", "text": f"Asked above: {text}", "type": "display"}

    def _absences(self) -> list[tuple[Form, Key, list[str]]]:
        """The classes of findings that state the absence of what is asked for, where the case states none of it."""
        asked_for = {str(thing.form.iri) for thing in asked(self.plain, self.found) if thing.key is None}
        found = []
        for form in self.plain.forms.values():
            for key in form.keys.values():
                if key.kind is None:
                    names = [name for name, iri in key.terms.items() if iri in asked_for - self.stated]
                    if names:
                        found.append((form, key, names))
        return found

    def _finding(self, form: Form, text: str, only: dict[str, list[str]] | None = None) -> dict[str, Any]:
        """A group for findings of a class. Their basis is not asked, since an answer is an attestation; nor a doubt."""
        keys = [key for key in form.keys.values() if key.path not in (CASE.basis, CASE.inDoubt)]
        counted = list(self.plain.kb.ontology.objects(form.iri, CASE.countedBy))
        # Required: the one property by which it counts, and what tells findings apart where the case states that.
        distinguishing = set(self.plain.kb.ontology.objects(form.iri, CASE.keyProperty)) & self._stated_of(form)
        children = []
        for key in keys:
            child = self._question(form, key, _named(key), (only or {}).get(_link_id(form, key)))
            children.append({**child, "required": key.required or counted == [key.path] or key.path in distinguishing})
        full_text = " ".join((text, *form.rules))
        return {"linkId": form.name, "text": full_text, "type": "group", "repeats": True, "item": children}

    def _product(self, form: Form, text: str) -> dict[str, Any]:
        """A group for the one product of a kind."""
        children = [self._question(form, key, _named(key)) for key in form.keys.values()]
        return {"linkId": form.name, "text": " ".join((text, *form.rules)), "type": "group", "item": children}

    def _stated_of(self, form: Form) -> set[URIRef]:
        """The properties that findings of a class state in the case."""
        case = self.found.case
        findings = [
            finding for finding in case.values(case.node, CASE.finding) if case.value(finding, RDF.type) == form.iri
        ]
        return {key.path for key in form.keys.values() if any(case.value(finding, key.path) for finding in findings)}

    def _question(self, form: Form, key: Key, text: str, names: list[str] | None = None) -> dict[str, Any]:
        type_ = "choice" if key.terms else _TYPES.get(key.datatype or XSD.string, "string")
        limits = [
            {
                "url": f"http://hl7.org/fhir/StructureDefinition/{_LIMITS[name]}",
                f"value{type_.title()}": float(bound) if "." in bound else int(bound),
            }
            for name, bound in key.bounds
            if name in _LIMITS
        ]
        options = [self._option(iri) for name, iri in key.terms.items() if names is None or name in names]
        return {
            "linkId": _link_id(form, key),
            **({"extension": limits} if limits else {}),
            "text": text,
            "type": type_,
            **({"repeats": True} if key.many else {}),
            **({"answerOption": options} if options else {}),
        }

    def _option(self, iri: str) -> dict[str, Any]:
        """One answer; the disease treated is chosen beforehand where a disease is to be named."""
        option = {"valueCoding": coding(self.plain, iri)}
        return {**option, "initialSelected": True} if iri == self.reason else option


def _named(key: Key) -> str:
    """What a question is called, with the unit in which its answer is a number."""
    return f"{key.label}, in {key.unit}" if key.unit else key.label


def _how_many(need: Need) -> str:
    """The text over the items of a need; where it counts, one item can ask for several of what is counted."""
    counted = f"{how_many(need).capitalize()} what these ask for:"
    return {"any": _ANY, "all": _ALL}.get(need.operator, counted)


def coding(plain: CaseForms, iri: str) -> dict[str, str]:
    """A term of our vocabularies as a Coding: the system is its namespace, the code its local name."""
    code = local_name(iri)
    return {"system": str(iri).removesuffix(code), "code": code, "display": plain.kb.labels.get(str(iri), code)}


def _link_id(form: Form, key: Key) -> str:
    return f"{form.name}/{local_name(key.path)}"
