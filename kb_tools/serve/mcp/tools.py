"""The tools: what each is for, what it takes and gives, and who does its work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any

from pydantic import TypeAdapter

from kb_tools.ask.request import Inquiry
from kb_tools.ask.result import QueryResult
from kb_tools.determine.choice import choice_of
from kb_tools.determine.result import REVIEW
from kb_tools.errors import KbError
from kb_tools.revisions.change import Diff
from kb_tools.revisions.requirements import Contrast
from kb_tools.revisions.verdict import Witness
from kb_tools.revisions.words import required_by
from kb_tools.serve.case.assess import Determined, Status
from kb_tools.serve.case.desk import Chosen
from kb_tools.serve.mcp import arguments as takes
from kb_tools.serve.mcp import reading, told
from kb_tools.serve.mcp import results as gives
from kb_tools.serve.mcp.arguments import Arguments
from kb_tools.serve.mcp.office import Office

# The most rows of an answer that asks for no number of them.
_ROWS = 200
_NOT_A_DECISION = "It is the status of the criteria for a clinician to review, neither an approval nor a denial."


class Refused(KbError):
    """A case that is not determined, with a line for each thing that is wrong with it."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("the case is not determined")


@dataclass(frozen=True)
class Tool:
    """A tool.

    Attributes:
        run: gives the result for arguments that were read.
        output: the JSON Schema of the result.
    """

    name: str
    title: str
    description: str
    arguments: Arguments
    output: dict[str, Any]
    run: Callable[[Office, Any], Awaitable[Any]]


def _tool(name: str, title: str, description: str, arguments: Any, result: Any, run: Any) -> Tool:
    output = TypeAdapter(result).json_schema(mode="serialization")
    return Tool(name, title, description, Arguments(name, arguments), output, run)


# ---------------------------------------------------------------------- what is on file


async def _list_policies(office: Office, given: takes.NoArguments) -> gives.Policies:
    return await office.read(reading.policies, office)


async def _read_revision(office: Office, given: takes.OfRevision) -> gives.RevisionRead:
    return await office.read(reading.revision, office, given.get("policy"), given.get("revision"))


async def _read_criterion(office: Office, given: takes.OfCriterion) -> gives.CriterionFound:
    return await office.read(reading.criterion, office, given["name"], given.get("policy"), given.get("revision"))


async def _case_template(office: Office, given: takes.OfRevision) -> gives.Template:
    return await office.read(reading.case_template, office, given.get("policy"), given.get("revision"))


async def _list_questions(office: Office, given: takes.NoArguments) -> gives.Questions:
    return await office.read(reading.ready_questions)


# ---------------------------------------------------------------------- cases


async def _determine_case(office: Office, given: takes.OfCase) -> Determined:
    status = await _status(office, given)
    return {key: value for key, value in status.items() if key != "missing"}  # type: ignore[return-value]


async def _missing_information(office: Office, given: takes.OfCase) -> gives.MissingFound:
    status = await _status(office, given)
    return {
        "policy": status["policy"],
        "revision": status["revision"],
        "outcome": status["outcome"],
        "because": status["because"],
        "settled": status["toSend"] is None,
        "missing": status["missing"],
        "toSend": status["toSend"],
        "review": REVIEW,
    }


async def _status(office: Office, given: takes.OfCase) -> Status:
    """The status of the criteria on a case.

    Raises:
        KbError: it is not determined.
    """
    chosen = await office.read(_chosen, office, given)
    data, format_ = _written(given["case"])
    message = await office.work(
        lambda started: office.workers.exchange("assess", format_, chosen, body=data, started=started)
    )
    found = message.content
    if found["slips"]:
        raise Refused(told.of_slips(found["slips"]))
    if found["status"] is None:
        raise Refused(f"The case is not determined: {told.here(found['refusal'])}")
    status: Status = found["status"]
    return status


def _chosen(office: Office, given: takes.OfCase) -> Chosen:
    """The revision that is asked for.

    Raises:
        KbError: there is none of that name, or none whose criteria are on file.
    """
    name, on = given.get("revision"), takes.day(given.get("asOf"))
    if name and on:
        raise KbError("a revision and a day", hint="give revision or asOf")
    choice = choice_of(office.kb, given.get("policy"), name)
    if choice.every:
        raise KbError("every policy", hint="name one policy")
    policy = choice.only
    if policy is None:
        # The case names it.
        return {"policy": None, "revision": name, "asOf": on.isoformat() if on else None}
    if name:
        policy.require_criteria(policy.entry(name))
    if on:
        policy.in_force(on)
    return {"policy": policy.identifier, "revision": name, "asOf": on.isoformat() if on else None}


def _written(case: dict[str, Any] | str) -> tuple[bytes, str]:
    """A case as a text, and its format.

    Raises:
        KbError: it cannot be written as JSON.
    """
    if isinstance(case, str):
        data = case.encode("utf-8", "surrogatepass")
        return data, "json" if case.lstrip("\ufeff \t\r\n").startswith("{") else "turtle"
    try:
        return json.dumps(case, allow_nan=False).encode(), "json"
    except (TypeError, ValueError, RecursionError):
        raise KbError("the case is no JSON, or nested too deeply", hint="case_template shows what a case is") from None


# ---------------------------------------------------------------------- comparisons


async def _compare_revisions(office: Office, given: takes.OfTwo) -> gives.Comparison:
    before, after = given["before"], given["after"]

    def pair() -> Any:
        policies = office.kb.policies_compared(given.get("policy"), before, after)
        sides = [policy.entry(name) for policy, name in zip(policies, (before, after), strict=True)]
        for policy, side in zip(policies, sides, strict=True):
            # What a draft has on file can be compared.
            if not side.draft:
                policy.require_criteria(side)
        if sides[0].iri == sides[1].iri:
            raise KbError("one revision twice", hint="name two")
        first, second = policies
        return office.comparisons.of(first, sides[0].name, sides[1].name, second)

    compared = await asyncio.wrap_future(await office.read(pair))
    return await office.read(_comparison, compared.diff)


def _comparison(diff: Diff) -> gives.Comparison:
    content = diff.to_dict()
    witnesses = [_witness(diff, witness) for witness in diff.verdict.witnesses]
    verdict = content["verdict"]
    return {
        "policy": content["policy"],
        "old": content["old"],
        "new": content["new"],
        "drafts": content["drafts"],
        "final": content["final"],
        "leftToDecide": content["leftToDecide"],
        "verdict": {
            "words": diff.words,
            "direction": verdict["direction"],
            "byInference": bool(verdict["byInference"]),
            "borrowed": verdict["borrowed"],
            "witnesses": witnesses,
        },
        "changes": content["changes"],
        "notCompared": content["notCompared"],
        "log": content["log"],
        "unexplained": content["unexplained"],
        "exampleCasesThatFlip": content.get("impact", {}).get("flips", []),
        "requirements": [_requirement(diff, one) for one in diff.contrasts],
        "codes": content.get("codes", []),
    }


def _requirement(diff: Diff, one: Contrast) -> gives.RequirementFound:
    replay = one.replay
    return {
        "revision": diff.name_of(one.side),
        "place": one.requirement.place,
        "requires": list(required_by(one.side, one.requirement)),
        "shared": one.shared,
        "byItself": one.by_itself,
        "old": replay.before.outcome.value if replay else None,
        "new": replay.after.outcome.value if replay else None,
        "because": [replay.before.because, replay.after.because] if replay else [],
    }


def _witness(diff: Diff, witness: Witness) -> gives.WitnessFound:
    holding, failing, left_open = (
        [label for iri, label in diff.conditions.items() if iri in iris] for iris in witness.groups
    )
    return {
        "direction": witness.direction.value,
        "before": witness.before.value,
        "after": witness.after.value,
        "holding": holding,
        "failing": failing,
        "leftOpen": left_open,
        "borneOutByCase": True,
    }


# ---------------------------------------------------------------------- questions


async def _ask_question(office: Office, given: takes.OfQuestion) -> gives.Answered:
    parameters = {name: str(value) for name, value in given.get("parameters", {}).items()}
    asked = Inquiry(question=given["question"], parameters=parameters)
    if not given["question"]:
        raise KbError("no question", hint="list_questions lists them")
    return await _answered(office, asked, given)


async def _query_sparql(office: Office, given: takes.OfQuery) -> gives.Answered:
    if not given["query"].strip():
        raise KbError("no query", hint="write SELECT, ASK, CONSTRUCT or DESCRIBE")
    return await _answered(office, Inquiry(text=given["query"], union=given.get("all", False)), given)


async def _answered(office: Office, asked: Inquiry, given: takes.OfQuestion | takes.OfQuery) -> gives.Answered:
    asked.root = office.kb.root
    asked.policy, asked.revision = given.get("policy"), given.get("revision")
    asked.as_of = takes.day(given.get("asOf"))
    asked.max_rows = min(given.get("maxRows", _ROWS), office.max_rows)
    if sum(map(bool, (asked.revision, asked.as_of, asked.union))) > 1:
        raise KbError("more than one of revision, asOf and all", hint="give one")
    found = QueryResult(await office.work(lambda started: office.pool.ask(asked, started)))
    return {
        "title": found.title,
        "graphs": found.graphs,
        "variables": list(found.variables),
        "rows": [[_cell(value) for value in row] for row in found.rows],
        "truth": found.truth,
        "turtle": found.turtle,
        "labels": dict(found.labels),
        "complete": found.complete,
        "notes": told.notes(found.notes, asked.parameters),
    }


def _cell(value: Any) -> str | int | float | bool | None:
    """A value of a row as JSON has it; a decimal is a text, so that no digit is lost."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


# ---------------------------------------------------------------------- the table

TOOLS = {
    tool.name: tool
    for tool in (
        _tool(
            "list_policies",
            "Policies and revisions",
            "The policies on file and their revisions: from when each counts, and what is on file of it.",
            takes.NoArguments,
            gives.Policies,
            _list_policies,
        ),
        _tool(
            "read_revision",
            "Read a revision",
            "What a revision of a policy says, in our own words: criteria with their content, definitions, codes, "
            "references, and advice that does not decide.",
            takes.OfRevision,
            gives.RevisionRead,
            _read_revision,
        ),
        _tool(
            "read_criterion",
            "Read a criterion or a condition",
            "A criterion by its place, as II.B, with its conditions: what it asks for, how it is read, what it cites, "
            "and the SHACL shapes that decide. Or one condition. Read it to explain; do not judge a case by it.",
            takes.OfCriterion,
            gives.CriterionFound,
            _read_criterion,
        ),
        _tool(
            "case_template",
            "What a case looks like",
            "An empty case as plain JSON, with notes: what each key takes, and which criterion of the revision asks "
            "for it.",
            takes.OfRevision,
            gives.Template,
            _case_template,
        ),
        _tool(
            "determine_case",
            "Determine a case",
            "The status of the criteria of a revision on a case: outcome, why, the value of each criterion, what to "
            f"send in, advice and notices. {_NOT_A_DECISION} Nothing of the case is stored.",
            takes.OfCase,
            Determined,
            _determine_case,
        ),
        _tool(
            "missing_information",
            "What is missing in a case",
            "What can still change the outcome of a case, the question to ask for each, and where the answer goes in "
            "the case. Ask; never fill in what is not stated.",
            takes.OfCase,
            gives.MissingFound,
            _missing_information,
        ),
        _tool(
            "compare_revisions",
            "Compare two revisions",
            "What changed between two revisions, whether the later one is stricter or looser, whether the revision "
            "log says so, and which example cases come to another outcome. Of two policies, each revision named with "
            "its policy: what only one of them requires, what both do, and for each difference what a case comes to.",
            takes.OfTwo,
            gives.Comparison,
            _compare_revisions,
        ),
        _tool(
            "list_questions",
            "Ready questions",
            "The ready questions about the policies, with their parameters.",
            takes.NoArguments,
            gives.Questions,
            _list_questions,
        ),
        _tool(
            "ask_question",
            "Ask a ready question",
            "The answer to a ready question about the policies, as rows. It knows nothing of patients.",
            takes.OfQuestion,
            gives.Answered,
            _ask_question,
        ),
        _tool(
            "query_sparql",
            "Ask in SPARQL",
            "The answer to a query of your own on the graphs of the policies. It knows nothing of patients. Queries "
            "only read, reach no other server, and end after a time limit.",
            takes.OfQuery,
            gives.Answered,
            _query_sparql,
        ),
    )
}
