"""The arguments of the tools: what each takes, and what is wrong with those of a call, which quotes none of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from kb_tools.errors import KbError, did_you_mean
from kb_tools.serve.mcp.exact import LOST
from kb_tools.serve.typed import TypedDict

_ONLY_THESE = ConfigDict(extra="forbid")
# What a value of each type of JSON is called.
_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
}

Policy = Annotated[
    str, Field(description="The identifier of a policy, as CP.MP.101; needed only where several are on file.")
]
RevisionName = Annotated[str, Field(description="The name of a revision, as 2026-02.")]
RevisionOfAny = Annotated[
    str,
    Field(description="The name of a revision, as 2026-02; of two policies each with its policy: CP.MP.101/2026-02."),
]
InForce = Annotated[str, Field(description="The name of a revision, as 2026-02; default: the one in force today.")]
Day = Annotated[str, Field(description="A day, as YYYY-MM-DD: take the revision in force on it. Not with a revision.")]
Rows = Annotated[int, Field(ge=1, le=10_000, description="Give no more rows than this; default 200.")]


class NoArguments(TypedDict):
    """Takes nothing."""

    __pydantic_config__ = _ONLY_THESE  # type: ignore[misc]


class OfRevision(TypedDict):
    """A revision of a policy."""

    __pydantic_config__ = _ONLY_THESE  # type: ignore[misc]
    policy: NotRequired[Policy]
    revision: NotRequired[InForce]


class OfCriterion(TypedDict):
    """A criterion or a condition of a revision."""

    __pydantic_config__ = _ONLY_THESE  # type: ignore[misc]
    name: Annotated[
        str, Field(description='The place of a criterion ("II.B"), its label, or the IRI of a criterion or condition.')
    ]
    policy: NotRequired[Policy]
    revision: NotRequired[InForce]


class OfCase(TypedDict):
    """A case, and the revision under which it is determined."""

    __pydantic_config__ = _ONLY_THESE  # type: ignore[misc]
    case: Annotated[
        dict[str, Any] | str,
        Field(
            description="The case: an object of plain JSON as case_template shows it, or a FHIR R4 Bundle; or a text: "
            "either of them as JSON, or a case as Turtle. State only what a chart or a person states."
        ),
    ]
    policy: NotRequired[Policy]
    revision: NotRequired[
        Annotated[
            str, Field(description="The name of a revision, as 2026-02; default: the one in force on the service date.")
        ]
    ]
    asOf: NotRequired[Day]


class OfTwo(TypedDict):
    """Two revisions, of one policy or of two."""

    __pydantic_config__ = _ONLY_THESE  # type: ignore[misc]
    before: RevisionOfAny
    after: RevisionOfAny
    policy: NotRequired[Policy]


class OfQuestion(TypedDict):
    """A ready question, with values for its parameters."""

    __pydantic_config__ = _ONLY_THESE  # type: ignore[misc]
    question: Annotated[str, Field(description="The name of a question, as list_questions gives it.")]
    parameters: NotRequired[
        Annotated[
            dict[str, str | int],
            Field(description="Values by the names of parameters: a number, a place, a name, a code, or an IRI."),
        ]
    ]
    policy: NotRequired[Policy]
    revision: NotRequired[InForce]
    asOf: NotRequired[Day]
    maxRows: NotRequired[Rows]


class OfQuery(TypedDict):
    """A query in SPARQL 1.1, and what it reads."""

    __pydantic_config__ = _ONLY_THESE  # type: ignore[misc]
    query: Annotated[
        str,
        Field(
            description="SELECT, ASK, CONSTRUCT or DESCRIBE. The prefixes of the knowledge base are declared (pol:, "
            "case:, clin:, skos: ...). SERVICE and updates are refused. Write no facts about a patient into it."
        ),
    ]
    policy: NotRequired[Policy]
    revision: NotRequired[InForce]
    asOf: NotRequired[Day]
    all: NotRequired[Annotated[bool, Field(description="Read all revisions and graphs at once.")]]
    maxRows: NotRequired[Rows]


class Arguments:
    """The arguments that a tool takes."""

    def __init__(self, tool: str, type_: Any) -> None:
        self.tool = tool
        self._adapter: TypeAdapter[Any] = TypeAdapter(type_)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """As a JSON Schema."""
        return self._adapter.json_schema()

    def read(self, given: Mapping[str, Any]) -> Any:
        """The arguments of a call.

        Raises:
            KbError: they are not those that the tool takes; it says all that is wrong, and quotes nothing of them.
        """
        if LOST in given:
            raise KbError("the arguments cannot be read exactly", hint=str(given[LOST]))
        try:
            return self._adapter.validate_python(dict(given), strict=True)
        except ValidationError as error:
            # What pydantic says of it quotes what was given.
            wrong = [
                self._wrong(slip["type"], slip["loc"])
                for slip in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        raise KbError("; ".join(dict.fromkeys(wrong)), hint=f"see the input schema of {self.tool}")

    def _wrong(self, kind: str, place: tuple[int | str, ...]) -> str:
        known = self.schema.get("properties", {})
        name = str(place[0]) if place else ""
        if name not in known:
            meant = did_you_mean(name, known)
            return f"an argument that {self.tool} does not have" + (f" ({meant})" if meant else "")
        if kind == "missing" and len(place) == 1:
            return f"{name} is needed"
        return f"{name}: {_in_words(known[name])} is expected"


def day(value: str | None) -> date | None:
    """A day that is given as YYYY-MM-DD.

    Raises:
        KbError: it is none.
    """
    try:
        if value is not None and len(value) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(value) if value is not None else None
    except ValueError:
        raise KbError("asOf is no calendar day", hint="write YYYY-MM-DD") from None


def _in_words(schema: Mapping[str, Any]) -> str:
    """What a value is that fits a schema."""
    choices = schema.get("anyOf", [schema])
    said = " or ".join(dict.fromkeys(_TYPES[choice["type"]] for choice in choices))
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        said += f" whose values are each {_in_words(inner)}"
    bounds = [
        f"{word} {schema[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most")) if key in schema
    ]
    return said + (f" of {' and '.join(bounds)}" if bounds else "")
