"""Doubts of the reader: what a resource may state, though no fact could be made of it.

Which findings must not decide beside it says `withhold`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from rdflib import URIRef
from rdflib.term import Node

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.dates import days_of, end_of
from kb_tools.cases.fhir.element import Element, Elements
from kb_tools.cases.fhir.facts import Doubt
from kb_tools.cases.fhir.forms import items_of
from kb_tools.cases.fhir.r4 import CLINICAL, STATING
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import Skipped
from kb_tools.cases.fhir.texts import TextReader
from kb_tools.cases.meaning import Meaning
from kb_tools.rdf.namespaces import CLIN

# Statuses with which a resource says nothing.
_VOID = ("entered-in-error", "not-done", "cancelled", "registered", "preparation")


class DoubtCollector:
    """Collects what may be so."""

    def __init__(self, assembly: Assembly, texts: TextReader) -> None:
        self._assembly = assembly
        self._texts = texts
        self._codes = assembly.codes
        self._terms = assembly.terms

    def skip(self, resource: Resource, skipped: Skipped) -> None:
        """Notes why nothing, or nothing more, is made of a resource, and collects what it may state all the same."""
        self._assembly.skip(resource, skipped)
        if skipped.doubtful:
            self.collect(resource)

    def collect(self, resource: Resource, *parts: Element) -> None:
        """Collects what a skipped resource, or these parts of it, may state by codes, in a text or by answers."""
        if resource.type == "QuestionnaireResponse":
            self._collect_form(resource)
        if resource.type not in CLINICAL or (not parts and self._texts.says_nothing(resource)):
            return
        root, codings = resource.root, self._texts.codings(resource, *parts)
        if not self._codes.meanings(codings):
            of_values = self._texts.codings_of_values(resource, *parts)
            codings = Elements([*codings, *of_values]) if of_values else codings
        kinds = self.kinds_by_codes(resource, codings, bool(parts))
        mentioned = self._texts.mentions(resource, *parts) - kinds
        if not kinds and not mentioned:
            return
        # What a report or a panel says beyond the results that are here is not known.
        grouped = [] if self._texts.lacks_results(resource) else self._texts.grouped(resource)
        # What a report is of its results say, but not what it concludes.
        named = kinds - self.kinds_by_codes(resource, _concluded(resource)) if grouped else set()
        days = days_of(resource)
        doubts = self._assembly.doubts
        for kind in sorted(kinds, key=str):
            key, values = self._key_of(kind, resource, codings), self._values_of(kind, root, codings)
            doubts.append(Doubt(resource, kind, days, key, values, unless_stated=kind in named))
        for kind in sorted(mentioned, key=str):
            if self._terms.is_done(kind) and resource.type not in ("Procedure", "MedicationAdministration"):
                # What speaks of a transplant is mostly none: a state after one, or a test for one.
                self._assembly.past.append((resource.place, kind))
            else:
                key = None if self._terms.key_property(kind) else kind
                of_a_stage = bool(parts) and resource.type == "Condition"
                stated_elsewhere = not of_a_stage and not self._texts.lacks_results(resource)
                doubts.append(Doubt(resource, kind, days, key, by_text=True, unless_stated=stated_elsewhere))

    def collect_near(self, resource: Resource) -> None:
        """Collects what nearly known codes of a resource that was read may mean, where it states something else."""
        if resource.type not in STATING or not self._codes.nears_of(self._texts.coded(resource)):
            return
        codings = [coding for coding in self._texts.codings(resource) if self._codes.near(coding)]
        own = [finding for finding in self._assembly.findings.values() if resource in finding.sources]
        for kind in sorted(self.kinds_by_codes(resource, codings), key=str):
            values = self._values_of(kind, resource.root, codings)
            same = (
                finding
                for finding in own
                if finding.kind == kind and all(finding.values.get(p) in named for p, named in values.items())
            )
            if not any(same):
                key = self._key_of(kind, resource, codings)
                self._assembly.doubts.append(Doubt(resource, kind, days_of(resource), key, values))

    def _collect_form(self, form: Resource) -> None:
        groups: dict[str, list[Element]] = {}
        for item, group in items_of(form, self._terms.kinds):
            groups.setdefault(group.path if group else item.path, []).append(item)
        for items in groups.values():
            self.collect_answers(form, items)

    def collect_answers(self, form: Resource, items: Sequence[Element]) -> None:
        """Collects what answers of a form may state: findings of the classes that their questions name."""
        answered = [item for item in items if item.get("answer")]
        groups = [item for item in items if answered and not item.get("answer")]
        authored = form.root.days("authored")
        names = {item.text("linkId").partition("/")[0] for item in (*answered, *groups)}
        for name in sorted(names & self._terms.kinds.keys()):
            dated = [item for item in answered if item.text("linkId") == f"{name}/date"]
            dates = [answer for item in dated for answer in item.all("answer")]
            spans = {answer.days("valueDate") or answer.days("valueDateTime") for answer in dates}
            days = spans.pop() if len(spans) == 1 else None
            days = days or ((date.min, authored[1]) if authored else None)
            kind = self._terms.kinds[name]
            key = None if self._terms.key_property(kind) else kind
            self._assembly.doubts.append(Doubt(form, kind, days, key))
        for item in answered:
            if item.text("linkId").partition("/")[0] not in self._terms.kinds:
                self._collect_unknown_question(form, item, (date.min, authored[1]) if authored else None)

    def _collect_unknown_question(self, form: Resource, item: Element, days: tuple[date, date] | None) -> None:
        """Collects what the answer to a question that is not known may state, by the words of both and by codes."""
        # What is looked at is not taken for read.
        item = Element(item.content)
        answers = item.all("answer")
        codings = [coding for answer in answers if (coding := answer.one("valueCoding"))]
        mentions = self._codes.terminology.mentions
        texts = [item.text("linkId"), item.text("text"), *(answer.text("valueString") for answer in answers)]
        kinds = frozenset().union(*map(mentions, texts)) | self._codes.mentioned(codings)
        kinds |= {kind for name, kind in self._terms.kinds.items() if name.casefold() == _first_name(item).casefold()}
        kinds |= self.kinds_by_codes(form, codings)
        for kind in sorted(kinds, key=str):
            if not self._terms.is_done(kind):
                key = None if self._terms.key_property(kind) else kind
                self._assembly.doubts.append(Doubt(form, kind, days, key))

    def collect_unread(self) -> None:
        """Collects what is contained in others and was not read, and panels of which not all members say something."""
        assembly = self._assembly
        for holder in assembly.resources:
            for inner in holder.contained if holder not in assembly.dismissed else ():
                if inner not in assembly.done and inner.root.text("status") not in _VOID:
                    self.collect(inner)
        stated = {(finding.resource, finding.kind) for finding in assembly.findings.values()}
        stated |= {(doubt.resource, doubt.kind) for doubt in assembly.doubts}
        for panel, kind, members in assembly.panels:
            if not all((member, kind) in stated for member in members):
                self.collect(panel)

    def forget_what_is_stated(self) -> None:
        """Drops the doubts of what the resource that raises them states, or a resource that it groups."""
        findings = self._assembly.findings.values()
        stated = {(source, finding.kind) for finding in findings for source in finding.sources}
        self._assembly.doubts = [
            doubt
            for doubt in self._assembly.doubts
            if not (
                doubt.unless_stated
                and any(
                    (resource, doubt.kind) in stated
                    for resource in (doubt.resource, *self._texts.grouped(doubt.resource))
                )
            )
        ]

    # ------------------------------------------------------------------ what a resource may state

    def kinds_by_codes(self, resource: Resource, codings: Sequence[Element], part: bool = False) -> set[Node]:
        """The classes of findings of which a resource may state one by these codes.

        Args:
            part: whether the codes are those of a part of it alone.
        """
        possible = self._codes.possible(codings)
        kinds = set(self._codes.may_state(codings))
        if possible and self._may_state_a_status(resource, possible, part):
            kinds.add(CLIN.DiseaseStatusAssessment)
        return kinds

    def _may_state_a_status(self, resource: Resource, possible: Sequence[Meaning], part: bool) -> bool:
        """Whether a skipped resource, or a part of it, may say how a disease stands."""
        diseases = any(self._codes.named_by(meaning, CLIN.Disease) for meaning in possible)
        statuses = [self._codes.named_by(meaning, CLIN.DiseaseStatus) for meaning in possible]
        if resource.type != "Condition" or part:
            # Which disease a conclusion or a stage is of need not be said beside it.
            pairs = zip(statuses, possible, strict=True)
            alone = any(status == meaning.concepts for status, meaning in pairs if status)
            return alone or (diseases and any(statuses))
        root = resource.root
        clinical = root.codings("clinicalStatus")
        unclear = root.get("clinicalStatus") is not None and not self._codes.meanings(clinical)
        stated = any(statuses) or bool(self._codes.concepts(clinical, CLIN.DiseaseStatus))
        return diseases and (unclear or bool(end_of(root)) or stated)

    def _values_of(self, kind: Node, root: Element, codings: Sequence[Element]) -> dict[URIRef, frozenset[Node]]:
        """What a skipped resource may state of a finding, as far as its codes say that and no others do."""
        clinical = root.codings("clinicalStatus")
        meanings = self._codes.possible([*codings, *clinical])
        values: dict[URIRef, set[Node]] = defaultdict(set)
        for meaning in meanings:
            for property_, value in meaning.values if meaning.kind == kind else ():
                values[property_].add(value)
            for stated in self._terms.domain[kind]:
                class_ = self._terms.range.get(stated)
                values[URIRef(str(stated))] |= self._codes.named_by(meaning, class_) if class_ else set()
        unknown = len(meanings) < len(codings) + len(clinical)
        if unknown or (root.get("clinicalStatus") and not clinical) or end_of(root):
            # What is not understood may say otherwise.
            values.pop(CLIN.diseaseStatus, None)
        return {property_: frozenset(named) for property_, named in values.items() if named}

    def _key_of(self, kind: Node, resource: Resource, codings: Sequence[Element]) -> Node | None:
        """What tells a finding that a resource may state apart from others of its class; see `Doubt`."""
        property_ = self._terms.key_property(kind)
        if property_ is None:
            return kind
        element = self._terms.elements.get(property_, "")
        stated = resource.root.codings(element)
        class_ = self._terms.range.get(property_)
        named: set[Node] = set(self._codes.concepts([*codings, *stated], class_)) if class_ else set()
        named |= {value for meaning in self._codes.meanings(codings) for p, value in meaning.values if p == property_}
        # Parts and members may say what the whole does not.
        elsewhere = any(map(resource.root.get, (element, "component", "hasMember")))
        if len(named) > 1 or (not named and elsewhere):
            return None
        return next(iter(named), kind)


def _first_name(item: Element) -> str:
    return item.text("linkId").partition("/")[0]


def _concluded(report: Resource) -> list[Element]:
    """The codes of what a report concludes."""
    concepts = report.aside.all("conclusionCode")
    return [coding for concept in concepts for coding in concept.all("coding")]
