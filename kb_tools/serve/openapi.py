"""The description of the interface (OpenAPI 3.1), written from the pages and the types of their content."""

from __future__ import annotations

import inspect
import re
import types
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from kb_tools import __version__
from kb_tools.serve import openapi_programs, openapi_queries
from kb_tools.serve.formats import MEDIA_TYPES
from kb_tools.serve.pages import COMPARING, FIXED, OF_IRIS, TRY, Page

_SIMPLE: dict[Any, dict[str, Any]] = {
    # Values that another part of the tool describes.
    object: {},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}
_PROBLEM = {
    "description": "An error, as problem details (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "near"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail")},
        "status": {"type": "integer"},
        "near": {"type": "array", "items": {"type": "object"}, "description": "Things whose addresses are close"},
        "errors": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Of cases that cannot be read: all that is wrong, each thing with its place",
        },
    },
}
_ON = {
    "name": "on",
    "in": "query",
    "description": "The day on which the knowledge base is shown; default: today",
    "schema": {"type": "string", "format": "date"},
}


def description() -> dict[str, Any]:
    """The description, as JSON values."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM_SCHEMA}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Policy workbench",
            "version": __version__,
            "description": "The content of every page as JSON. The tool never approves or denies.",
        },
        "paths": {
            **{page.path: {"get": _operation(page, schemas)} for page in (*FIXED, TRY, *COMPARING, *OF_IRIS)},
            **openapi_queries.paths(schemas, schema_of, _ON, _PROBLEM),
            **openapi_programs.paths(schemas, schema_of, _PROBLEM),
        },
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _operation(page: Page, schemas: dict[str, Any]) -> dict[str, Any]:
    content = schema_of(get_type_hints(page.data)["return"], schemas)
    envelope = {
        "type": "object",
        "required": ["page", "on"],
        "properties": {"page": {"const": page.name}, "on": {"type": "string", "format": "date"}},
    }
    named = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", page.path)
    ]
    asks = {"search": ("q",), "try": ("revision",), "compare": ("before", "after")}.get(page.name, ())
    asked = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in asks]
    formats = {"name": "format", "in": "query", "schema": {"enum": list(page.formats)}}
    sent: dict[str, Any] = {MEDIA_TYPES[format_][0]: {} for format_ in page.formats}
    sent["application/json"] = {"schema": {"allOf": [envelope, content]}}
    return {
        "operationId": page.name,
        "summary": page.summary,
        "parameters": [*named, *asked, _ON, formats],
        "responses": {"200": {"description": page.summary, "content": sent}, "default": _PROBLEM},
    }


def schema_of(type_: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a type; that of a TypedDict goes into `schemas` under its name, and is referred to."""
    if type_ in _SIMPLE:
        return _SIMPLE[type_]
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(argument, schemas) for argument in arguments]}
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0], schemas)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1], schemas)}
    assert is_typeddict(type_), type_
    name = _name(type_)
    if name not in schemas:
        schemas[name] = {}
        schemas[name] |= {
            "type": "object",
            "description": inspect.getdoc(type_) or "",
            "required": sorted(type_.__required_keys__),
            "properties": {key: schema_of(hint, schemas) for key, hint in get_type_hints(type_).items()},
        }
    return {"$ref": f"#/components/schemas/{name}"}


def _name(type_: type) -> str:
    """The name of a type; types of one name are told apart by their modules."""
    module = type_.__module__.rpartition(".")[2]
    return type_.__name__ if module in ("view", type_.__name__.lower()) else f"{module.capitalize()}{type_.__name__}"
