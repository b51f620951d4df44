"""Da Vinci DTR: a Questionnaire that fills itself and asks only what can still settle the case, with what goes with it.

The package is a Bundle: the Questionnaire, a QuestionnaireResponse with what is known, and the lists of answers that
are too long to stand in the form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from rdflib.namespace import RDF

from kb_tools.cases.form import CaseForms, Form, Key
from kb_tools.determine.result import Determination
from kb_tools.model.products import parts_of
from kb_tools.rdf.namespaces import BASE, CASE
from kb_tools.rdf.terms import local_name
from kb_tools.render.coverage_information import TEMP
from kb_tools.render.population import Population, launch_context
from kb_tools.render.questionnaire import coding, questionnaire

Json = dict[str, Any]
VERSIONS = ("2.1", "2.2")
_DTR = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/"
# What each version calls an answer that the service knew, and a package in the answer.
_KNOWN = {"2.1": "auto", "2.2": "auto-server"}
_PACKAGE = {"2.1": "PackageBundle", "2.2": "packagebundle"}
# From how many answers on a list stands by itself.
_LONG = 20


@dataclass(frozen=True)
class Rule:
    """What need not be asked once a question is answered in one way.

    Attributes:
        question: its linkId.
        answer: as `valueCoding` has it.
        remaining: the linkIds of what can still change the outcome.
    """

    question: str
    answer: Json
    remaining: frozenset[str]


def policy_url(identifier: str) -> str:
    """The canonical of the form that asks all that a policy reads; its version is that of the revision."""
    return f"{BASE}Questionnaire/{identifier}"


def questions(forms: CaseForms, form: Json) -> list[Json]:
    """The items of a form that ask for what the request, the plan or a product is, with answers to choose from."""
    parts = parts_of(forms.kb.ontology)
    return [item for item in _every(form["item"]) if _is_of_a_part(item, parts) and "answerOption" in item]


def asked_things(forms: CaseForms, form: Json | None) -> frozenset[str]:
    """The linkIds of what a form asks for: classes of findings, products, and properties of all that is stated once."""
    parts = parts_of(forms.kb.ontology)
    every = _every(form["item"]) if form else ()
    return frozenset(item["linkId"] for item in every if _is_a_thing(item, parts))


def _every(items: Iterable[Json]) -> Iterator[Json]:
    for item in items:
        yield item
        yield from _every(item.get("item", ()))


def _is_of_a_part(item: Json, parts: Collection[str]) -> bool:
    """Whether an item asks for a part of a case that is stated once, or for a property of one."""
    return item["linkId"].partition("/")[0] in parts and item["type"] != "display"


def _is_a_thing(item: Json, parts: Collection[str]) -> bool:
    return _is_of_a_part(item, parts) or bool(item.get("repeats") and item["type"] == "group")


@dataclass(frozen=True)
class About:
    """What a form is asked about, and when.

    Attributes:
        version: of DTR, one of VERSIONS.
        subject: the reference to the patient; "" where there is no order.
        coverages, orders: references.
        stated: by linkId: the IRIs of the terms that the order and the plan state.
    """

    version: str
    today: date
    subject: str = ""
    coverages: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    stated: Mapping[str, Sequence[str]] = field(default_factory=dict)


class PackageWriter:
    """Writes the packages of forms."""

    def __init__(self, forms: CaseForms, population: Population) -> None:
        self._forms = forms
        self._population = population

    def package(self, found: Determination, rules: Sequence[Rule], about: About, whole: bool = False) -> Json | None:
        """The package of what can still settle a case; None where it is settled.

        Args:
            rules: what need not be asked once something is answered.
            about: the order, and when it is asked.
            whole: whether it is the form of the policy, by its canonical, and not of one case.
        """
        form = questionnaire(self._forms, found)
        if form is None:
            return None
        revision = found.revision
        if whole:
            title = f"{revision.policy.identifier} revision {revision.entry.name}: what its criteria read"
            form |= {"id": revision.policy.identifier, "url": policy_url(revision.policy.identifier), "title": title}
        form = self._conditional(form, rules)
        lists: dict[str, Json] = {}
        items = [self._item(item, about, lists) for item in form["item"]]
        form = {
            **{name: value for name, value in form.items() if name not in ("item", "status")},
            "extension": launch_context(),
            "version": revision.entry.name,
            "status": "active",
            "item": items,
        }
        response = self._response(form, about)
        resources = [form, *([response] if response else []), *lists.values()]
        entries = [{"fullUrl": one.get("url") or _uuid(repr(one)), "resource": one} for one in resources]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}

    # ------------------------------------------------------------------ the form

    def _conditional(self, form: Json, rules: Sequence[Rule]) -> Json:
        """The form with conditions under which each thing is asked: only answers that stand before it count."""
        parts = parts_of(self._forms.kb.ontology)
        order = [item["linkId"] for item in _every(form["item"]) if _is_a_thing(item, parts)]
        dropped: dict[str, list[Json]] = {thing: [] for thing in order}
        for rule in rules:
            condition = {"question": rule.question, "operator": "!=", "answerCoding": rule.answer}
            for thing in order[order.index(rule.question) + 1 :]:
                if thing not in rule.remaining:
                    dropped[thing].append(condition)
        return {**form, "item": [_enabled(item, dropped, []) for item in form["item"]]}

    def _item(self, item: Json, about: About, lists: dict[str, Json]) -> Json:
        """An item with what tells a program of it: codes, how it is filled, where its answers are listed."""
        link = item["linkId"]
        form = self._forms.forms.get(link.partition("/")[0])
        key = _key(form, link) if form else None
        if item["type"] == "display" or form is None or (key is None and link != form.name):
            inner = [self._item(one, about, lists) for one in item.get("item", ())]
            return {**item, **({"item": inner} if inner else {})}
        term = str(key.path if key else form.iri)
        filled = self._population.of_item(form, key, link) if key else self._population.of_group(form)
        extensions = [*item.get("extension", ()), *filled]
        written: Json = {
            "linkId": link,
            **({"extension": extensions} if extensions else {}),
            "definition": term,
            "code": [coding(self._forms, term)],
            **{name: value for name, value in item.items() if name not in ("linkId", "extension", "item")},
        }
        if filled and "answerOption" in written:
            # What is filled in is not chosen beforehand too.
            options = written["answerOption"]
            written["answerOption"] = [{"valueCoding": option["valueCoding"]} for option in options]
        elif key and key.kind and len(written.get("answerOption", ())) > _LONG:
            del written["answerOption"]
            written["answerValueSet"] = self._listed(key, about, lists)
        if "item" in item:
            written["item"] = [self._item(one, about, lists) for one in item["item"]]
        return written

    def _listed(self, key: Key, about: About, lists: dict[str, Json]) -> str:
        """The canonical of the list of the terms that answer a question."""
        assert key.kind is not None
        name = local_name(key.kind)
        url = f"{BASE}ValueSet/{name}"
        if url not in lists:
            concepts: dict[str, list[Json]] = {}
            for iri in key.terms.values():
                term = coding(self._forms, iri)
                concepts.setdefault(term.pop("system"), []).append(dict(term))
            contained = [{"system": system, **one} for system, terms in concepts.items() for one in terms]
            lists[url] = {
                "resourceType": "ValueSet",
                "id": name,
                "url": url,
                "title": self._forms.kb.labels.get(str(key.kind), name),
                "status": "active",
                "compose": {"include": [{"system": system, "concept": terms} for system, terms in concepts.items()]},
                "expansion": {"timestamp": about.today.isoformat(), "total": len(contained), "contains": contained},
            }
        return url

    # ------------------------------------------------------------------ what is known

    def _response(self, form: Json, about: About) -> Json | None:
        """The response with what the order and the plan say; None where nobody is named."""
        if not about.subject:
            return None
        references = [*about.coverages, *about.orders]
        names = [_coverage_name(about.version)] * len(about.coverages) + ["qr-context"] * len(about.orders)
        extensions = [
            {"url": f"{_DTR}{name}", "valueReference": {"reference": reference}}
            for name, reference in zip(names, references, strict=True)
        ]
        purpose = {"coding": [{"system": TEMP, "code": "withpa"}]}
        extensions.append({"url": f"{_DTR}intendedUse", "valueCodeableConcept": purpose})
        items = list(self._known(form["item"], about))
        return {
            "resourceType": "QuestionnaireResponse",
            "extension": extensions,
            "questionnaire": f"{form['url']}|{form['version']}",
            "status": "in-progress",
            "subject": {"reference": about.subject},
            "authored": about.today.isoformat(),
            **({"item": items} if items else {}),
        }

    def _known(self, items: Iterable[Json], about: About) -> Iterator[Json]:
        """The answers that the order and the plan give, each with where it comes from."""
        for item in items:
            inner = list(self._known(item["item"], about)) if "item" in item and not item.get("repeats") else []
            if inner:
                yield {"linkId": item["linkId"], "item": inner}
            stated = about.stated.get(item["linkId"], ())
            if stated:
                origin = {"url": f"{_DTR}information-origin", "extension": [_source(about.version)]}
                answers = [{"extension": [origin], "valueCoding": coding(self._forms, iri)} for iri in stated]
                yield {"linkId": item["linkId"], "answer": answers}


def stated_terms(forms: CaseForms, found: Determination) -> dict[str, list[str]]:
    """By linkId: the terms that a case states of the request, the plan and the products."""
    case = found.case
    request = case.value(case.node, CASE.request)
    nodes = {"Request": request, "Coverage": case.value(case.node, CASE.coverage)}
    nodes |= {local_name(case.value(product, RDF.type)): product for product in case.values(request, CASE.product)}
    stated: dict[str, list[str]] = {}
    for name, node in nodes.items():
        for key in forms.forms[name].keys.values() if node else ():
            terms = [str(value) for value in case.values(node, key.path) if str(value) in key.terms.values()]
            if terms:
                stated[f"{name}/{local_name(key.path)}"] = terms
    return stated


def output(version: str, packages: Iterable[Json], outcome: Json | None) -> Json:
    """The answer of the operation: packages, and what else there is to say."""
    parameters = [{"name": _PACKAGE[version], "resource": package} for package in packages]
    parameters += [{"name": "outcome", "resource": outcome}] if outcome else []
    return {"resourceType": "Parameters", "parameter": parameters}


def _enabled(item: Json, dropped: Mapping[str, list[Json]], above: list[Json]) -> Json:
    """An item with the conditions under which it is asked, apart from those of the group that it stands in."""
    own = _conditions(item, dropped)
    new = [condition for condition in own if condition not in above]
    inner = [_enabled(one, dropped, own) for one in item.get("item", ())]
    behavior = {"enableBehavior": "all"} if len(new) > 1 else {}
    return {**item, **({"enableWhen": new} if new else {}), **behavior, **({"item": inner} if inner else {})}


def _conditions(item: Json, dropped: Mapping[str, list[Json]]) -> list[Json]:
    """The conditions of an item; of a group, or of a remark that names something, those of all that it is about."""
    if item["linkId"] in dropped:
        return dropped[item["linkId"]]
    if item["type"] == "display":
        return dropped.get(item["linkId"].partition(":")[2], [])
    inner = [_conditions(one, dropped) for one in item.get("item", ())] if item["type"] == "group" else []
    return [condition for condition in inner[0] if all(condition in one for one in inner)] if inner else []


def _key(form: Form, link: str) -> Key | None:
    name = link.partition("/")[2]
    return next((key for key in form.keys.values() if local_name(key.path) == name), None)


def _coverage_name(version: str) -> str:
    return "qr-coverage" if version == "2.2" else "qr-context"


def _source(version: str) -> Json:
    return {"url": "source", "valueCode": _KNOWN[version]}


def _uuid(key: str) -> str:
    return f"urn:uuid:{UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4)}"
