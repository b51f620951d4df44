"""The pages: what each says, as JSON values. A template of the same name shows the same to people.

A page is a module with a function `data(view, target)`, whose result is a TypedDict: it documents the JSON of the page.
`target` is the IRI of what the page is about, or what its address asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kb_tools.rdf.namespaces import POL
from kb_tools.serve.pages import (
    code,
    compare,
    condition,
    criterion,
    examples,
    model,
    policies_compared,
    policy,
    questions,
    recorded,
    reference,
    revision,
    search,
    start,
    thing,
    trial,
    vocabulary,
)
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench


@dataclass(frozen=True)
class Page:
    """One kind of page.

    Attributes:
        name: of its template, and of its operation in the description of the interface.
        paths: its addresses, as an OpenAPI path template.
        summary: what it shows, in a line.
        data: gives its content.
        rdf: whether it is about an IRI, so that Turtle and JSON-LD of that can be had.
        writers: gives what it is about in a format that it has beside these.
    """

    name: str
    path: str
    summary: str
    data: Callable[[View, str], Mapping[str, Any]]
    rdf: bool = True
    writers: Mapping[str, Callable[[View, str], bytes]] = field(default_factory=dict)

    @property
    def formats(self) -> tuple[str, ...]:
        return (*(("html", "json", "turtle", "jsonld") if self.rdf else ("html", "json")), *self.writers)


START = Page("start", "/", "The policies, what is on file and what is open", start.data, rdf=False)
SEARCH = Page("search", "/search", "What fits the words of a search (q)", search.data, rdf=False)
QUESTIONS = Page("questions", "/questions", "The ready questions", questions.data, rdf=False)
QUESTION = Page("question", "/questions/{name}", "One ready question", questions.one, rdf=False)
MODEL = Page("model", "/model", "The classes of the vocabularies and what links them", model.data, rdf=False)
# The pages of a fixed address.
FIXED = (START, SEARCH, QUESTIONS, QUESTION, MODEL)
# A page of its own: it takes what is sent to it, and is only there where the workbench is served.
TRY = Page("try", "/try", "The form of a case, and which revisions can be chosen", trial.data, rdf=False)
# Pages that are only there where records are shown.
RECORDS = Page("records", "/records", "The decision records, and what they come to", recorded.data, rdf=False)
RECORD = Page("record", "/records/{number}", "One decision record", recorded.one, rdf=False)

COMPARE = Page(
    "compare",
    "/{policy}/compare",
    "Which revisions can be compared",
    compare.choose,
    rdf=False,
)
COMPARISON = Page(
    "comparison",
    "/{policy}/compare/{before}/{after}",
    "Two revisions compared: changes, verdict and witnesses, log, example cases",
    compare.data,
    rdf=False,
    writers={"markdown": compare.as_markdown, "xlsx": compare.as_spreadsheet},
)
POLICIES_COMPARED = Page(
    "policies_compared",
    "/compare/{first}/{before}/{second}/{after}",
    "Revisions of two policies compared: what each requires, and a case for each difference",
    policies_compared.data,
    rdf=False,
    writers={"markdown": policies_compared.as_markdown, "xlsx": policies_compared.as_spreadsheet},
)
# The pages of comparisons.
COMPARING = (COMPARE, COMPARISON, POLICIES_COMPARED)

POLICY = Page("policy", "/{policy}", "A policy: its history, its log and what is open", policy.data)
REVISION = Page("revision", "/{policy}/{revision}", "A revision: criteria and all else that it says", revision.data)
CRITERION = Page("criterion", "/{policy}/criterion/{name}", "A criterion, over all revisions", criterion.data)
CONDITION = Page("condition", "/condition/{name}", "A condition: its shapes and what asks for it", condition.data)
REFERENCE = Page("reference", "/{policy}/reference/{name}", "A reference, and what cites it", reference.data)
CODE = Page("code", "/code/{system}/{code}", "A billing code, and which revisions list it", code.data)
EXAMPLE = Page("example", "/example/{name}", "An example case, and what it comes to", examples.data)
VOCABULARY = Page("vocabulary", "/{vocabulary}", "The terms under one namespace", vocabulary.data)
THING = Page("thing", "/{path}", "Anything else that has an IRI of ours: what is said of it", thing.data)
# The pages of IRIs, under the path of the IRI.
OF_IRIS = (POLICY, REVISION, CRITERION, CONDITION, REFERENCE, CODE, EXAMPLE, VOCABULARY, THING)
_BY_CLASS = ((POL.Condition, CONDITION), (POL.Reference, REFERENCE), (POL.Code, CODE))


def page_of(bench: Workbench, iri: str) -> Page:
    """The kind of page that an IRI of ours has."""
    if iri in bench.policies:
        return POLICY
    if iri in bench.entries:
        return REVISION
    if iri in bench.examples:
        return EXAMPLE
    if iri in bench.namespaces:
        return VOCABULARY
    if iri in bench.criteria:
        return CRITERION
    return next((page for class_, page in _BY_CLASS if bench.is_a(iri, str(class_))), THING)
