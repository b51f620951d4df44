"""The description of what answers queries: the SPARQL Protocol, the answers of ready questions, the editor's terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kb_tools.serve import sparql
from kb_tools.serve.editor import Terms
from kb_tools.serve.results import GRAPHS, INCOMPLETE, ROWS, SPREADSHEET

_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
# What a term of an answer is (SPARQL 1.1 Query Results JSON Format, 3.2.2).
_TERM = {
    "type": "object",
    "required": ["type", "value"],
    "properties": {
        "type": {"enum": ["uri", "literal", "bnode"]},
        "value": _STRING,
        "datatype": _STRING,
        "xml:lang": _STRING,
    },
}
_RESULTS = {
    "type": "object",
    "description": "SPARQL 1.1 Query Results JSON Format; `notes` is what a reader must know beside the answer",
    "required": ["head"],
    "properties": {
        "head": {"type": "object", "properties": {"vars": {"type": "array", "items": _STRING}}},
        "notes": {"type": "array", "items": _STRING},
        "boolean": _BOOLEAN,
        "results": {
            "type": "object",
            "required": ["bindings"],
            "properties": {
                "bindings": {"type": "array", "items": {"type": "object", "additionalProperties": _TERM}},
            },
        },
    },
}
_HEADERS = {INCOMPLETE: {"description": "There is more: how far the answer goes", "schema": _STRING}}


def paths(
    schemas: dict[str, Any], schema_of: Callable[[Any, dict[str, Any]], dict[str, Any]], on: Any, problem: Any
) -> dict[str, Any]:
    """The operations by path.

    Args:
        schemas: those that are referred to; more are added.
        schema_of: gives the schema of a type.
        on: the parameter of the day.
        problem: what an error comes as.
    """
    schemas["Results"] = _RESULTS
    busy = {"description": "As many queries run as may; Retry-After says when to ask again", **_content(problem)}
    errors = {"503": busy, "default": problem}
    answered = {
        "200": {"description": "The answer", "headers": _HEADERS, "content": _answers(ROWS | GRAPHS)},
        **errors,
    }
    table = {
        "200": {"description": "The answer", "headers": _HEADERS, "content": _answers(ROWS | SPREADSHEET)},
        **errors,
    }
    terms = {"application/json": {"schema": schema_of(Terms, schemas)}}
    return {
        "/sparql": _protocol("sparql", "A query (SPARQL 1.1 Protocol)", answered, []),
        "/{policy}/{revision}/sparql": _protocol(
            "sparqlOfRevision", "The same, on one revision", answered, [_in_path("policy"), _in_path("revision")]
        ),
        "/questions/{name}/answer": {
            "get": {
                "operationId": "answer",
                "summary": "The answer of a ready question, whose parameters stand in the address by their names",
                "parameters": [
                    _in_path("name"),
                    on,
                    {"name": "policy", "in": "query", "schema": _STRING},
                    {"name": "format", "in": "query", "schema": {"enum": [*ROWS, *SPREADSHEET]}},
                    {
                        "name": "parameters",
                        "in": "query",
                        "description": "The parameters of the question, as /questions lists them",
                        "style": "form",
                        "explode": True,
                        "schema": {"type": "object", "additionalProperties": _STRING},
                    },
                ],
                "responses": table,
            }
        },
        "/query/terms.json": {
            "get": {
                "operationId": "terms",
                "summary": "The prefix table, and the terms that the query editor completes",
                "responses": {"200": {"description": "The terms", "content": terms}, "default": problem},
            }
        },
    }


def _protocol(name: str, summary: str, responses: dict[str, Any], in_path: list[Any]) -> dict[str, Any]:
    given = [
        {
            "name": parameter,
            "in": "query",
            "description": meaning,
            "schema": {"type": "array", "items": _STRING} if parameter in sparql.MANY else _STRING,
        }
        for parameter, meaning in sparql.PARAMETERS.items()
    ]
    form = {"type": "object", "properties": dict.fromkeys(sparql.PARAMETERS, _STRING)}
    return {
        "get": {
            "operationId": name,
            "summary": f"{summary}; without a query, the description of the service",
            "parameters": [*in_path, *given],
            "responses": responses,
        },
        "post": {
            "operationId": f"{name}Post",
            "summary": summary,
            "parameters": [*in_path, *(parameter for parameter in given if parameter["name"] != "query")],
            "requestBody": {
                "required": True,
                "content": {sparql.QUERY: {"schema": _STRING}, sparql.FORM: {"schema": form}},
            },
            "responses": responses,
        },
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _STRING}


def _answers(known: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    results = {"schema": {"$ref": "#/components/schemas/Results"}}
    return {types[0]: results if name == "json" else {} for name, types in known.items()}


def _content(problem: dict[str, Any]) -> dict[str, Any]:
    return {"content": problem["content"]}
