"""Questionnaire/$questionnaire-package of Da Vinci DTR; runs in the processes that determine cases.

Nothing is kept of a call of CDS Hooks: the form for an open case is made again of the order and the plan, and so has
the canonical that the call gave.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kb_tools.as_json import compact
from kb_tools.cases.case import Case
from kb_tools.cases.fhir.r4 import load
from kb_tools.determine.choice import among_all, is_of_another_payer
from kb_tools.determine.result import Determination, Outcome
from kb_tools.determine.run import Answer
from kb_tools.errors import UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.render.fhir_outcome import operation_outcome
from kb_tools.render.population import Population
from kb_tools.render.questionnaire import questionnaire
from kb_tools.render.questionnaire_package import (
    VERSIONS,
    About,
    PackageWriter,
    Rule,
    asked_things,
    output,
    policy_url,
    questions,
    stated_terms,
)
from kb_tools.serve.case.answer import SOURCE
from kb_tools.serve.case.desk import UNREAD, Chosen, Desk, told
from kb_tools.serve.case.messages import Message

Json = dict[str, Any]
# An order that asks for nothing yet: what a policy reads by itself is all that could be asked of it.
_BARE: Json = {
    "resourceType": "ServiceRequest",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/nobody"},
}
_ORDERS = ("ServiceRequest", "Claim")
# The version of DTR in the profile of the parameters.
_PROFILE = re.compile(r"dtr-qpackage-input-parameters\|([0-9]+\.[0-9]+)")
# What coverage-information calls a determination by: policy and revision are in it.
_ASSERTION = re.compile(r"(.+)\.([0-9]{4}-[0-9]{2})\.[0-9a-f]{32}(\.partly)?")
# For so many cases it is remembered which answers leave what open.
_REMEMBERED = 64
_SETTLED = "the order and its plan settle the criteria by themselves: there is nothing to ask"
_OTHER = "no policy on file is about what is ordered"
_ANOTHER_PAYER = "the plan of the order is another payer's"


class _Refused(Exception):
    """Why there is no answer: the status of HTTP, the code of the issue, and what is wrong."""

    def __init__(self, status: int, code: str, what: str) -> None:
        self.status, self.code, self.what = status, code, what
        super().__init__(what)


@dataclass(frozen=True)
class _Asked:
    """What the parameters ask for."""

    version: str
    coverages: list[Json]
    orders: list[Json]
    forms: list[str]
    context: str


class Packages:
    """Makes packages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._choice = among_all(desk.kb)
        self._writer: PackageWriter | None = None
        self._rules: OrderedDict[tuple[str, str, str], list[Rule]] = OrderedDict()

    def answer(self, chosen: Chosen, data: bytes) -> Message:
        """The status and the issues of a refusal, or the answer in JSON."""
        come: list[Answer] = []
        try:
            asked = _asked(data)
            content = self._answered(asked, chosen, come)
        except _Refused as refused:
            issues, become = [(refused.code, refused.what)], told(come) if come else UNREAD
            return Message({"status": refused.status, "issues": issues, "told": become})
        except UnreadableInput as error:
            return Message({"status": 422, "issues": [("processing", line) for line in error.lines()], "told": UNREAD})
        return Message({"status": 200, "issues": [], "told": told(come)}, compact(content))

    def _answered(self, asked: _Asked, chosen: Chosen, come: list[Answer]) -> Json:
        """The packages; `come` is added what each order comes to with its plans alone."""
        packages: list[Json] = []
        remarks: list[str] = []
        refusals: list[_Refused] = []
        policies = self._policies(asked, chosen)
        for policy in policies:
            try:
                self._add(asked, policy, len(policies) == 1, chosen["revision"], come, packages, remarks)
            except _Refused as refused:
                refusals.append(refused)
        # Where several policies could be meant, one that has nothing to do with it stops no other.
        if refusals and not packages and not remarks:
            raise refusals[0]
        return output(asked.version, packages, _remark(*dict.fromkeys(remarks)) if remarks and not packages else None)

    def _policies(self, asked: _Asked, chosen: Chosen) -> list[str]:
        """The policies whose forms may be meant: the one that is named, by itself or by a form; else all.

        KB_POLICY does not stand against another payer that the plan names.
        """
        kb, revision = self._desk.kb, chosen["revision"]
        known = [policy.identifier for policy in kb.policies()]
        urls = {name.partition("|")[0] for name in asked.forms}
        context = _ASSERTION.fullmatch(asked.context)
        named = [
            one for one in known if policy_url(one) in urls or (context and not asked.orders and context[1] == one)
        ]
        preferred = None if chosen["policy"] or revision else kb.preferred
        if preferred and not named and self._is_of_another_payer(asked, preferred):
            return known
        if chosen["policy"] or (kb.is_one(None, revision) and not named):
            return [kb.policy_of(chosen["policy"], *filter(None, [revision])).identifier]
        return named or [one.identifier for one in (kb.policies_with(revision) if revision else kb.policies())]

    def _add(
        self,
        asked: _Asked,
        policy: str,
        meant: bool,
        revision: str | None,
        come: list[Answer],
        packages: list[Json],
        remarks: list[str],
    ) -> None:
        """Add the packages of a policy, and what there is to remark where there is nothing to ask.

        Args:
            meant: whether no other policy could be meant.

        Raises:
            _Refused: there is no such form, or what is sent cannot be determined.
        """
        today = date.today()
        of_policy = _of_policy(asked, policy)
        revision = revision or next((named for _, named in of_policy if named), None)
        # The form of a policy that is named can ask for the service too.
        known = [order for order in asked.orders if of_policy or self._is_known(order)]
        if asked.orders and not known:
            remarks.append(_OTHER)
            return
        told_before = len(packages) + len(remarks)
        orders: list[Json | None] = [*known] or [None]
        for order in orders:
            found, parts = self._found(order, asked, today, policy, revision, come if order else [])
            if not (meant or of_policy) and is_of_another_payer(found.case, found.revision.policy):
                remarks.append(_ANOTHER_PAYER)
                continue
            if not (meant or of_policy) and not self._may_name(found.case, policy):
                remarks.append(_OTHER)
                continue
            if found.outcome is Outcome.NOT_APPLICABLE or found.needs is None:
                remarks.append(_SETTLED)
            if of_policy or order is None:
                packages += self._of_policy(asked, order, found, today, policy)
            elif found.needs is not None and self._is_wanted(asked, found):
                about = self._about(asked, order, None, today)
                packages += self._package(found, self._made(found, parts, today, policy), about)
        if len(packages) + len(remarks) == told_before:
            what = "the form that is named is not that of this order: leave it out, or send the order as it was"
            raise _Refused(404, "not-found", what)

    def _may_name(self, case: Case, policy: str) -> bool:
        """Whether a case names a policy by its service or its codes, or no policy at all."""
        named = self._choice.named(case)
        return not named or policy in [one.identifier for one in named]

    def _is_known(self, order: Json) -> bool:
        return order["resourceType"] == "Claim" or self._desk.asks_for_a_known_service(order)

    def _is_of_another_payer(self, asked: _Asked, policy: Policy) -> bool:
        """Whether an order's plan names payers on file, and not the one whose policy it is."""
        today = date.today()
        read = (self._desk.preview(self._parts(order, asked), today) for order in asked.orders)
        return any(is_of_another_payer(case, policy) for case in read)

    @staticmethod
    def _parts(order: Json | None, asked: _Asked) -> Json:
        """An order with its plans; what a policy reads by itself where there is none."""
        plans = {f"coverage{number}": plan for number, plan in enumerate(asked.coverages, 1)} if order else {}
        return {"order": order or _BARE, **plans}

    def _found(
        self, order: Json | None, asked: _Asked, today: date, policy: str, revision: str | None, come: list[Answer]
    ) -> tuple[Determination, Json]:
        """What an order comes to with its plans alone, and what it was read of; the first is added to `come`."""
        parts = self._parts(order, asked)
        (found,) = self._desk.come_to([self._desk.preview(parts, today)], policy, revision)
        come.append(found)
        if not isinstance(found, Determination):
            text = str(found.error) if hasattr(found, "error") else "the order breaks the rules of a case"
            raise _Refused(422, "processing", text)
        return found, parts

    def _of_policy(
        self, asked: _Asked, order: Json | None, found: Determination, today: date, policy: str
    ) -> list[Json]:
        """The form of the whole policy, with what the order states filled in."""
        bare, parts = self._found(None, asked, today, policy, found.revision.entry.name, [])
        about = self._about(asked, order, found, today)
        return self._package(bare, self._made(bare, parts, today, policy), about, whole=True)

    def _is_wanted(self, asked: _Asked, found: Determination) -> bool:
        form = questionnaire(self._desk.forms, found)
        return form is not None and (not asked.forms or form["url"] in {name.partition("|")[0] for name in asked.forms})

    def _package(self, found: Determination, rules: list[Rule], about: About, whole: bool = False) -> list[Json]:
        if self._writer is None:
            self._writer = PackageWriter(self._desk.forms, Population(self._desk.terminology))
        package = self._writer.package(found, rules, about, whole)
        return [package] if package else []

    def _about(self, asked: _Asked, order: Json | None, found: Determination | None, today: date) -> About:
        if order is None:
            return About(asked.version, today)
        subject = order.get("subject") or order.get("patient") or {}
        return About(
            asked.version,
            today,
            str(subject.get("reference", "")),
            tuple(f"Coverage/{plan['id']}" for plan in asked.coverages if plan.get("id")),
            (f"{order['resourceType']}/{order['id']}",) if order.get("id") else (),
            stated_terms(self._desk.forms, found) if found else {},
        )

    # ------------------------------------------------------------------ what need not be asked

    def _made(self, found: Determination, parts: Json, today: date, policy: str) -> list[Rule]:
        """What need not be asked after each answer, found out by answering."""
        key = (policy, found.revision.entry.name, found.case.digest)
        if key not in self._rules:
            self._rules[key] = list(self._tried(found, parts, today, policy))
            if len(self._rules) > _REMEMBERED:
                self._rules.popitem(last=False)
        return self._rules[key]

    def _tried(self, found: Determination, parts: Json, today: date, policy: str) -> Iterator[Rule]:
        form = questionnaire(self._desk.forms, found)
        if form is None:
            return
        everything = asked_things(self._desk.forms, form)
        for question in questions(self._desk.forms, form):
            answers = [option["valueCoding"] for option in question["answerOption"]]
            link = question["linkId"]
            alone = self._left(found, parts, today, policy, [(link, [answer]) for answer in answers])
            for answer, left in zip(answers, alone, strict=True):
                if left is None:
                    continue
                remaining = left
                if question.get("repeats") and left < everything:
                    # Nor with any other answer beside it.
                    beside = [[answer, other] for other in answers if other is not answer]
                    tried = [(link, given) for given in (*beside, answers)]
                    remaining = left.union(*filter(None, self._left(found, parts, today, policy, tried)))
                if everything - remaining - {link}:
                    plain = {name: answer[name] for name in ("system", "code")}
                    yield Rule(link, plain, remaining)

    def _left(
        self, found: Determination, parts: Json, today: date, policy: str, tried: Sequence[tuple[str, list[Json]]]
    ) -> list[frozenset[str] | None]:
        """What can still change the outcome after each of some answers; None for answers that break the case shapes."""
        cases: list[Case] = []
        for link, answers in tried:
            response = {
                "resourceType": "QuestionnaireResponse",
                "status": "completed",
                "subject": parts["order"].get("subject") or parts["order"].get("patient"),
                "item": [{"linkId": link, "answer": [{"valueCoding": answer} for answer in answers]}],
            }
            cases.append(self._desk.preview({**parts, "answers": response}, today))
        return [
            asked_things(self._desk.forms, questionnaire(self._desk.forms, come))
            if isinstance(come, Determination)
            else None
            for come in self._desk.come_to(cases, policy, found.revision.entry.name)
        ]


# ---------------------------------------------------------------------- the parameters


def _asked(data: bytes) -> _Asked:
    try:
        content = load(data, SOURCE)
    except UnreadableInput as error:
        raise _Refused(400, "structure", str(error)) from error
    listed = content.get("parameter") if isinstance(content, dict) else None
    if not isinstance(listed, list) or content.get("resourceType") != "Parameters":
        raise _Refused(400, "structure", "send Parameters with coverage, and order, questionnaire or context")
    given: dict[str, list[Json]] = {}
    for parameter in listed:
        if isinstance(parameter, dict):
            given.setdefault(str(parameter.get("name")), []).append(parameter)
    coverages, orders = (
        [one["resource"] for one in given.get(name, ()) if isinstance(one.get("resource"), dict)]
        for name in ("coverage", "order")
    )
    forms = [str(one.get("valueCanonical") or one.get("valueUri")) for one in given.get("questionnaire", ())]
    context = next((str(one.get("valueString")) for one in given.get("context", ())), "")
    if not coverages or any(plan.get("resourceType") != "Coverage" for plan in coverages):
        raise _Refused(400, "required", "coverage is missing, or no Coverage")
    if any(order.get("resourceType") not in _ORDERS for order in orders):
        raise _Refused(400, "not-supported", f"an order is one of {', '.join(_ORDERS)}")
    if not (orders or forms or context):
        raise _Refused(400, "required", "one of order, questionnaire and context is needed (dtr-1)")
    meta = content.get("meta")
    profiles = meta.get("profile") if isinstance(meta, dict) else None
    named = [found[1] for profile in profiles or () if (found := _PROFILE.search(str(profile)))]
    return _Asked(named[0] if named and named[0] in VERSIONS else VERSIONS[0], coverages, orders, forms, context)


def _of_policy(asked: _Asked, policy: str) -> list[tuple[str, str]]:
    """The forms of the whole policy that are asked for, each with the revision that is named, "" for none.

    Raises:
        _Refused: without an order, something is named that is no form of a policy.
    """
    named = [name.partition("|") for name in asked.forms]
    found = [(url, version) for url, _, version in named if url == policy_url(policy)]
    if asked.orders or found:
        return found
    context = _ASSERTION.fullmatch(asked.context)
    if context and context[1] == policy:
        return [(policy_url(policy), context[2])]
    what = "nothing is kept of earlier calls, so the form of a case is made of its order; send that as order"
    raise _Refused(404, "not-found", f"{what}, or ask for {policy_url(policy)}")


def _remark(*texts: str) -> Json:
    """An OperationOutcome that says something, and refuses nothing."""
    outcome = operation_outcome([("informational", text) for text in texts])
    for issue in outcome["issue"]:
        issue["severity"] = "information"
    return outcome
