"""What the process that runs a query answers, as JSON: nothing that it sends can run anything where it is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pyoxigraph as ox

from kb_tools.ask.sparql import QueryError
from kb_tools.errors import Changed, KbError, KnowledgeBaseError, UnknownRevision, UnreadableInput, Unrecorded

T = TypeVar("T")
# What an answer may be other than a result.
_ERRORS: dict[str, type[KbError]] = {
    error.__name__: error
    for error in (KbError, Changed, KnowledgeBaseError, UnknownRevision, Unrecorded, UnreadableInput, QueryError)
}
# Marks an object that stands for a term: no prefix and no IRI begins so.
_TERM = "@term"


def write(answer: Any) -> bytes:
    """Write a result (a dataclass of JSON values and RDF terms), an error, or None."""
    content: dict[str, Any] | None
    if answer is None:
        content = None
    elif isinstance(answer, KbError):
        content = error_as_json(answer)
    else:
        content = {"result": vars(answer)}
    return json.dumps(content, default=_as_json).encode()


def read(written: bytes, result: Callable[..., T]) -> T | KbError | None:
    """Read what `write` wrote.

    Args:
        result: makes a result of its fields.

    Raises:
        ValueError: it is nothing of the kind.
    """
    content = json.loads(written, object_hook=_term)
    match content:
        case None:
            return None
        case {"error": str(kind)} if kind in _ERRORS:
            return error_of_json(content)
        case {"result": dict(fields)}:
            return result(**fields)
    raise ValueError("no answer")


def error_as_json(error: KbError) -> dict[str, str]:
    """An error as JSON values, which keep of what kind it is."""
    kind = next(class_ for class_ in type(error).__mro__ if class_.__name__ in _ERRORS).__name__
    said = {"what": error.what, "where": error.where, "hint": error.hint, "unquoted": error.unquoted}
    return {"error": kind, **said}


def error_of_json(content: Mapping[str, str]) -> KbError:
    """The error that `error_as_json` wrote."""
    said = {name: content[name] for name in ("where", "hint", "unquoted")}
    return _ERRORS[content["error"]](content["what"], **said)


def _as_json(term: Any) -> dict[str, Any]:
    if isinstance(term, ox.NamedNode):
        return {_TERM: "iri", "value": term.value}
    if isinstance(term, ox.BlankNode):
        return {_TERM: "blank", "value": term.value}
    if isinstance(term, ox.Triple):
        return {_TERM: "triple", "value": [term.subject, term.predicate, term.object]}
    if isinstance(term, ox.Literal):
        literal = {_TERM: "literal", "value": term.value, "datatype": term.datatype.value, "language": term.language}
        return literal | ({"direction": str(term.direction)} if term.direction else {})
    raise TypeError(f"no part of an answer: {type(term).__name__}")


def _term(content: dict[str, Any]) -> Any:
    value: Any = content.get("value")
    match content:
        case {"@term": "iri"}:
            return ox.NamedNode(value)
        case {"@term": "blank"}:
            return ox.BlankNode(value)
        case {"@term": "triple"}:
            return ox.Triple(*value)
        case {"@term": "literal", "language": str(language)}:
            direction = content.get("direction")
            return ox.Literal(value, language=language, direction=direction and ox.BaseDirection(direction))
        case {"@term": "literal", "datatype": str(datatype)}:
            return ox.Literal(value, datatype=ox.NamedNode(datatype))
    return content
