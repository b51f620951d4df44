"""The resources: what is on file, each under a URI that begins with kb://."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kb_tools import as_json
from kb_tools.errors import KbError, did_you_mean
from kb_tools.serve.mcp import reading
from kb_tools.serve.mcp.office import Office

SCHEME = "kb://"
_JSON, _TURTLE = "application/json", "text/turtle"


@dataclass(frozen=True)
class Kind:
    """A kind of resources.

    Attributes:
        path: behind the scheme; of a kind that each revision has one of, behind its policy and name.
        write: gives the content; of a revision, for its policy and name.
        criteria: whether only revisions have one whose criteria are on file.
    """

    path: str
    title: str
    type: str
    write: Callable[..., str]


def _as_text(function: Callable[..., Any]) -> Callable[..., str]:
    return lambda *arguments: as_json.dump(function(*arguments))


ALONE = (
    Kind("policies", "The policies and revisions on file", _JSON, _as_text(reading.policies)),
    Kind("questions", "The ready questions", _JSON, _as_text(lambda office: reading.ready_questions())),
    Kind("case-schema", "The JSON Schema of a case", "application/schema+json", _as_text(reading.case_schema)),
)
OF_REVISION = (
    Kind("revision", "All that the revision says", _JSON, _as_text(reading.revision)),
    Kind("criteria", "The criteria, those within others included", _JSON, _as_text(reading.criteria)),
    Kind("shapes", "One self-contained SHACL graph of the revision", _TURTLE, reading.shapes),
    Kind("case-template", "An empty case, with what the revision asks for", _JSON, _as_text(reading.case_template)),
)


@dataclass(frozen=True)
class Listed:
    """A resource, as it is listed."""

    uri: str
    name: str
    title: str
    type: str


def listed(office: Office) -> Iterator[Listed]:
    """Every resource; of revisions, those whose criteria are on file."""
    for kind in ALONE:
        yield Listed(SCHEME + kind.path, kind.path, kind.title, kind.type)
    for policy, name in reading.with_criteria(office):
        for kind in OF_REVISION:
            path = f"{policy}/{name}/{kind.path}"
            yield Listed(SCHEME + path, path, f"{policy} revision {name}: {kind.title}", kind.type)


def templates() -> Iterator[Listed]:
    """The URI template of each kind of which a revision has one."""
    for kind in OF_REVISION:
        yield Listed(f"{SCHEME}{{policy}}/{{revision}}/{kind.path}", f"revision-{kind.path}", kind.title, kind.type)


def read(office: Office, uri: str) -> tuple[str, str]:
    """The content of a resource, and its type.

    Raises:
        KbError: there is none of that URI.
    """
    path = uri.removeprefix(SCHEME)
    for kind in ALONE:
        if path == kind.path:
            return kind.write(office), kind.type
    policy, _, rest = path.partition("/")
    name, _, what = rest.partition("/")
    for kind in OF_REVISION:
        if name and what == kind.path:
            return kind.write(office, policy, name), kind.type
    known = [one.uri for one in listed(office)]
    hint = did_you_mean(uri, known) or "resources/list lists them"
    raise KbError("there is no such resource", hint=hint)
