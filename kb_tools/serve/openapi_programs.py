"""The description of the addresses for programs: cases determined, revisions, comparisons, questions, health."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kb_tools.serve.case.desk import MAX_CASES
from kb_tools.serve.determining import FORMS
from kb_tools.serve.pages.questions import Questions
from kb_tools.serve.programs import batch, determine, health, reading
from kb_tools.serve.results import INCOMPLETE, ROWS, SPREADSHEET

_STRING = {"type": "string"}
_LIST = {"type": "array", "items": _STRING}
_OBJECT = {"type": "object"}
_POLICY = "Its identifier; needed only where several are on file"
_CHOICE = {
    "policy": _POLICY,
    "revision": "The revision, as 2026-02; default: in force on the service date",
    "asOf": "Take the revision in force on this day",
}
# How an answer to a line says which kind it is.
_KINDS = {"determination": _OBJECT, "malformed": _OBJECT, "notDetermined": _OBJECT, "errors": _LIST}


def paths(
    schemas: dict[str, Any], schema_of: Callable[[Any, dict[str, Any]], dict[str, Any]], problem: Any
) -> dict[str, Any]:
    """The operations by path.

    Args:
        schemas: those that are referred to; more are added.
        schema_of: gives the schema of a type.
        problem: what an error comes as.
    """
    schemas |= {"Answers": _answers(), "LineAnswer": _line_answer(), "LineRow": _line_row()}
    busy = {"description": "As many cases wait as may; Retry-After says when to ask again", **_content(problem)}
    near = {"description": "No such policy or revision; `near` names those that are close", **_content(problem)}
    unread = {"description": "No case can be read; `errors` lists all that is wrong", **_content(problem)}
    errors = {"404": near, "default": problem}
    return {
        determine.API: {"post": _determine({"422": unread, "503": busy, **errors})},
        reading.DIFF: {
            "get": _read(
                "diff",
                "Two revisions compared, as kb diff --format json",
                {"before": "The older revision", "after": "The newer revision", "policy": _POLICY},
                _OBJECT,
                {"503": busy, **errors},
                ("before", "after"),
            )
        },
        reading.CRITERIA: {
            "get": _read(
                "criteria",
                "A revision with its criteria, as kb show --format json",
                {**_CHOICE, "revision": "The revision, as 2026-02; default: in force today, or on asOf"},
                _OBJECT,
                errors,
            )
        },
        reading.ASKED: {
            "get": _read(
                "readyQuestions", "The ready questions", {}, schema_of(Questions, schemas), {"default": problem}
            )
        },
        reading.ASK: {"get": _ask({"503": busy, "default": problem})},
        health.HEALTH: {
            "get": _read("health", "The server is up", {}, _with(status=_STRING, tool=_STRING), {"default": problem})
        },
        health.READY: {
            "get": _read(
                "ready",
                "Whether the knowledge base is loaded by each process that determines",
                {},
                _ready(),
                {
                    "503": {"description": "Not yet", "content": {"application/json": {"schema": _ready()}}},
                    "default": problem,
                },
            )
        },
        health.METRICS: {
            "get": {
                "operationId": "metrics",
                "summary": "Counts and durations, in the text format of Prometheus",
                "responses": {
                    "200": {"description": "The counts", "content": {"text/plain": {"schema": _STRING}}},
                    "default": problem,
                },
            }
        },
    }


def _determine(errors: dict[str, Any]) -> dict[str, Any]:
    summary = "What cases come to, as kb validate says it; nothing of the cases is kept"
    sent: dict[str, Any] = {media_type: {} for media_type in FORMS}
    sent["application/json"] = {"schema": {"$ref": "#/components/schemas/Answers"}}
    lines = [{"$ref": "#/components/schemas/LineAnswer"}, {"$ref": "#/components/schemas/LineRow"}]
    sent[batch.LINES] = {"schema": {"anyOf": lines}}
    rows = {
        "name": "rows",
        "in": "query",
        "description": "For lines alone: all that kb validate says of each, or the row that kb run writes of it",
        "schema": {"enum": list(batch.ROWS), "default": batch.ROWS[0]},
    }
    return {
        "operationId": "determine",
        "summary": summary,
        "parameters": [*_parameters(_CHOICE), rows],
        "requestBody": {
            "required": True,
            "description": f"At most {determine.MAX_CASE // 2**20} MiB and {MAX_CASES} cases. Of {batch.LINES}, a case "
            f"a line, as plain JSON or a FHIR bundle: at most {batch.MAX_LINES} lines, each of at most "
            f"{batch.MAX_LINE // 2**20} MiB; answers are sent while lines still come.",
            "content": {media_type: {} for media_type in (*determine.FORMATS, batch.LINES)},
        },
        "responses": {"200": {"description": summary, "content": sent}, **errors},
    }


def _ask(errors: dict[str, Any]) -> dict[str, Any]:
    results = {"schema": {"$ref": "#/components/schemas/Results"}}
    known = {types[0]: results if name == "json" else {} for name, types in (ROWS | SPREADSHEET).items()}
    parameters = {
        "name": "parameters",
        "in": "query",
        "description": "The parameters of the question, as /api/questions lists them",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": _STRING},
    }
    others = {"policy": _POLICY, "on": "The day on which the knowledge base is asked; default: today"}
    headers = {INCOMPLETE: {"description": "There is more: how far the answer goes", "schema": _STRING}}
    return {
        "operationId": "ask",
        "summary": "The answer of a ready question",
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": _STRING},
            *_parameters(others),
            parameters,
        ],
        "responses": {"200": {"description": "The answer", "headers": headers, "content": known}, **errors},
    }


def _read(
    name: str,
    summary: str,
    parameters: dict[str, str],
    schema: dict[str, Any],
    others: dict[str, Any],
    required: tuple[str, ...] = (),
) -> dict[str, Any]:
    answer = {"description": summary, "content": {"application/json": {"schema": schema}}}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": _parameters(parameters, required),
        "responses": {"200": answer, **others},
    }


def _parameters(known: dict[str, str], required: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "description": text, "schema": _STRING}
        | ({"required": True} if name in required else {})
        for name, text in known.items()
    ]


def _answers() -> dict[str, Any]:
    lists = ("determinations", "malformed", "notDetermined")
    properties: dict[str, Any] = {name: {"type": "array", "items": _OBJECT} for name in lists}
    properties |= {"tool": _STRING, "review": _STRING, "errors": _LIST}
    says = "What became of the cases of a body, as kb validate --format json says it"
    return {"type": "object", "description": says, "required": sorted(properties), "properties": properties}


def _line_answer() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "The full answer to a line, under the name that says which kind it is",
        "required": ["line"],
        "properties": {"line": {"type": ["integer", "null"]}, **_KINDS},
        "minProperties": 2,
        "maxProperties": 2,
    }


def _line_row() -> dict[str, Any]:
    lists = ("criteria", "conditions", "to_send", "in_doubt", "advisories", "notices", "reasons")
    return {
        "type": "object",
        "description": "The compact answer to a line, as the columns of kb run",
        "required": ["line", "outcome", "reasons"],
        "properties": {
            "line": {"type": ["integer", "null"]},
            "case": _STRING,
            "revision": {"type": ["string", "null"]},
            "outcome": _STRING,
            **dict.fromkeys(lists, _LIST),
        },
    }


def _ready() -> dict[str, Any]:
    count = {"type": "integer"}
    found = _with(status=_STRING, workers=_with(warm=count, of=count))
    # With --record alone.
    found["properties"] |= {"records": _with(made=count, head={"type": ["string", "null"]}), "detail": _STRING}
    return found


def _with(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": sorted(properties), "properties": properties}


def _content(problem: dict[str, Any]) -> dict[str, Any]:
    return {"content": problem["content"]}
