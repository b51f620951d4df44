"""Answers the calls of CDS Hooks; runs in the processes that determine cases."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.fhir.bundle import as_list
from kb_tools.cases.fhir.r4 import Decimal
from kb_tools.cases.fhir.references import last_two
from kb_tools.determine.choice import among_all, is_of_another_payer
from kb_tools.determine.result import Determination, Outcome
from kb_tools.determine.run import Answer
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.render import cards
from kb_tools.render.coverage_information import coverage_information, updated
from kb_tools.render.fhir_outcome import operation_outcome
from kb_tools.render.questionnaire import questionnaire
from kb_tools.serve.case.desk import UNREAD, Desk, told
from kb_tools.serve.case.messages import Message
from kb_tools.serve.hooks.call import Call, Refused, call_of, invalid
from kb_tools.serve.links import path_of

# How a number stands in a text until the text is written: JSON texts hold no such character as it is.
_NUMBER = re.compile(r'"\\u0000([-+.0-9eE]+)\\u0000"')
_SAFE = "/-._~!$&'()*+,;=:@"


class Hooks:
    """Answers calls."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._choice = among_all(desk.kb)

    def answer(self, service: str, base: str, today: str, body: bytes) -> Message:
        """The status of HTTP, what became of the orders (`Told`), and the answer in JSON.

        Args:
            service: the id under which the call came.
            base: the URL under which the pages are served, without the slash at its end.
            today: the day, which a draft without a date is taken to be of.
        """
        come: list[Answer] = []
        try:
            call = call_of(body, service)
            content = self._answered(call, base, date.fromisoformat(today), come)
        except Refused as refused:
            # Nothing is given of the orders before the one that is refused.
            self.desk.records.clear()
            outcome = operation_outcome([(refused.code, str(refused))])
            return Message({"status": refused.status, "told": UNREAD}, written(outcome))
        return Message({"status": 200, "told": told(come)}, written(content))

    def _answered(self, call: Call, base: str, today: date, come: list[Answer]) -> dict[str, Any]:
        """The cards and actions; `come` is added what each order came to that something is said of."""
        shown: list[dict[str, Any]] = []
        actions: list[dict[str, Any]] = []
        for order in filter(self.desk.asks_for_a_known_service, call.orders):
            informed = order
            for policy in self._meant(call, order, today):
                found = self._come_to(call.version, {"order": order, **call.chart}, policy, today)
                if not _is_about(found) or is_of_another_payer(found.case, policy):
                    continue
                come.append(found)
                door = f"/cds-services/{call.hook}"
                self.desk.record([found], door, preview=order.get("status") == "draft")
                shown.append(self._card(call, policy, order, found, base))
                informed = self._informed(call, policy, informed, found, base, today) or informed
            if informed is not order:
                what = "Adds what is known of the criteria to the order."
                actions.append({"type": "update", "description": what, "resource": informed})
        limit = int(call.options["max-cards"])
        return {
            "cards": shown[: max(limit, 0)] if call.options["guideline"] else [],
            **({"systemActions": actions} if actions else {}),
        }

    def _meant(self, call: Call, order: dict[str, Any], today: date) -> list[Policy]:
        """The policy that KB_POLICY names, if the plan may be its payer's; else those that the order names, or all."""
        meant = self.desk.kb.preferred
        case = self._read(call.version, {"order": order, **call.chart}, today)
        if meant and not is_of_another_payer(case, meant):
            return [meant]
        return list(self._choice.named(case) or self._choice.policies)

    def _read(self, version: str, parts: Mapping[str, Any], today: date) -> Case:
        """The case of an order with what else is known.

        Raises:
            Refused: it is not one case of FHIR R4.
        """
        try:
            return self.desk.preview(parts, today)
        except UnreadableInput as error:
            raise invalid(version, error.what + (f"; {error.hint}" if error.hint else "")) from error

    def _come_to(self, version: str, parts: Mapping[str, Any], policy: Policy, today: date) -> Answer:
        """What an order comes to with what else is known.

        Raises:
            Refused: it is not one case of FHIR R4.
        """
        (found,) = self.desk.come_to([self._read(version, parts, today)], policy.identifier)
        return found

    def _card(self, call: Call, policy: Policy, order: dict[str, Any], found: Answer, base: str) -> dict[str, Any]:
        name = f"ServiceRequest/{order.get('id', '')}"

        def page_of(iri: str) -> str:
            return base + quote(path_of(iri), _SAFE)

        if isinstance(found, Determination):
            return cards.card(found, page_of, call.version, call.instance, name, call.asks, call.unsent)
        error = KbError("the order breaks the rules of a case") if isinstance(found, Malformed) else found.error
        return cards.refusal(policy, page_of, call.version, call.instance, name, error)

    def _informed(
        self, call: Call, policy: Policy, order: dict[str, Any], found: Answer, base: str, today: date
    ) -> dict[str, Any] | None:
        """The order with what may be said of its coverage; None where nothing is, or nothing new."""
        coverage = coverage_of(order, call.chart.get("coverage"), today)
        if not call.options["coverage-info"] or not coverage or not isinstance(found, Determination):
            return None
        form = self._form(call, order, policy, today) if call.asks and found.needs else ""
        page = base + quote(path_of(str(found.revision.iri)), _SAFE)
        said = coverage_information(found, coverage, today, call.version, page, form, partly=bool(call.unsent))
        return updated(order, said) if said else None

    def _form(self, call: Call, order: dict[str, Any], policy: Policy, today: date) -> str:
        """The canonical of the form that order and plan call for by themselves: the chart fills it where it can."""
        parts = {key: call.chart[key] for key in ("patient", "coverage") if key in call.chart}
        found = self._come_to(call.version, {"order": order, **parts}, policy, today)
        form = questionnaire(self.desk.forms, found) if isinstance(found, Determination) else None
        return str(form["url"]) if form else ""


def _is_about(found: Answer) -> bool:
    """Whether a policy is about what is ordered: it applies, or says which other policy does."""
    return not (
        isinstance(found, Determination) and found.outcome is Outcome.NOT_APPLICABLE and found.referred_to is None
    )


def coverage_of(order: dict[str, Any], sent: Any, today: date) -> str:
    """The reference to the plan that pays for an order: what it names, else the only one in force; "" for none."""
    held = [entry.get("resource") for entry in as_list((sent or {}).get("entry")) if isinstance(entry, dict)]
    plans = [
        f"Coverage/{plan['id']}"
        for plan in (sent, *held)
        if isinstance(plan, dict)
        and plan.get("resourceType") == "Coverage"
        and plan.get("id")
        and _in_force(plan, today)
    ]
    named = {last_two(_text(insurance, "reference")) for insurance in as_list(order.get("insurance"))}
    chosen = [plan for plan in plans if plan in named] if named else plans
    return chosen[0] if len(chosen) == 1 else ""


def _in_force(plan: dict[str, Any], today: date) -> bool:
    end = _text(plan.get("period"), "end")
    return plan.get("status") == "active" and (not end or end[:10] >= today.isoformat()[: len(end[:10])])


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def written(content: Any) -> bytes:
    """JSON in which numbers stand as they were read: an order that is given back is to be changed in nothing else."""
    text = json.dumps(_marked(content), ensure_ascii=True, separators=(",", ":"))
    return _NUMBER.sub(r"\1", text).encode()


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner) for inner in value]
    if isinstance(value, Decimal):
        return f"\0{value.text}\0"
    return value.replace("\0", "�") if isinstance(value, str) else value
