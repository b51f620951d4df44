"""CDS Hooks: a determination as a card. It states the status of criteria, and never promises coverage."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

from rdflib import URIRef

from kb_tools.determine.in_words import Ask, AskGroup, Asks, keeps_open, to_send_in
from kb_tools.determine.result import REVIEW, CriterionResult, Determination
from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.rdf.namespaces import POL
from kb_tools.render.coverage_information import NO_PROMISE, PARTLY, TEMP, assertion_id
from kb_tools.render.determination_text import TITLES, consequence, reasons

# Longest summary of a card, in characters (CDS Hooks 2.0: less than 140).
LONGEST_SUMMARY = 139
# The topics of cards by version of CRD.
_TOPICS = {"2.1": TEMP, "2.2": "http://terminology.hl7.org/CodeSystem/cdshooks-card-type"}
_MARKED = re.compile(r"([\\`*_\[\]<>#|~])")
_OF = {"all": "All of", "any": "Any one of"}
# The URL of the page of an IRI.
PageOf = Callable[[str], str]


def card(
    found: Determination, page_of: PageOf, version: str, call: str, order: str, asks: bool, unsent: Sequence[str] = ()
) -> dict[str, Any]:
    """The card on one order.

    Args:
        page_of: gives the URL of the page of a criterion or revision.
        version: of CRD.
        call: the hookInstance, so that each call gives its cards names of their own.
        order: the reference to the order.
        asks: whether it says what to send in.
        unsent: what of the chart was not sent, so that it is unknown what stands there.
    """
    revision = found.revision
    name = f"{revision.policy.identifier} revision {revision.entry.name}"
    status = TITLES[found.outcome].lower()
    summary = f"{name}: {status}" + (PARTLY if unsent else "")
    deciding = list(_deciding(found))
    links = [{"label": f"Criterion {result.criterion.notation}", "iri": result.criterion.iri} for result in deciding]
    links = links or [{"label": name, "iri": str(revision.iri)}]
    return {
        "uuid": _uuid(f"{call} {order} {assertion_id(found)}"),
        "summary": summary[:LONGEST_SUMMARY],
        "indicator": "info",
        "detail": "\n\n".join(_detail(found, deciding, page_of, asks, unsent)),
        "source": _source(revision.policy, page_of, version),
        "links": [{"label": link["label"], "url": page_of(link["iri"]), "type": "absolute"} for link in links],
        "extension": {"davinci-crd.associated-resource": [{"reference": order}]},
    }


def refusal(policy: Policy, page_of: PageOf, version: str, call: str, order: str, error: KbError) -> dict[str, Any]:
    """The card on an order that could not be determined."""
    return {
        "uuid": _uuid(f"{call} {order} {policy.iri}"),
        "summary": f"{policy.identifier}: the criteria could not be read on this order",
        "indicator": "info",
        "detail": "\n\n".join((*map(_escaped, error.lines_for_others()), REVIEW)),
        "source": _source(policy, page_of, version),
        "links": [{"label": policy.identifier, "url": page_of(policy.iri), "type": "absolute"}],
        "extension": {"davinci-crd.associated-resource": [{"reference": order}]},
    }


def _source(policy: Policy, page_of: PageOf, version: str) -> dict[str, Any]:
    """Whose criteria these are."""
    owner = policy.shared.value(URIRef(policy.iri), POL.publisherName)
    return {
        "label": str(owner or policy.title),
        "url": page_of(policy.iri),
        "topic": {"system": _TOPICS[version], "code": "guideline", "display": "Guideline"},
    }


def _deciding(found: Determination) -> Iterator[CriterionResult]:
    """The criteria that decide, or that keep the outcome open."""
    return (result for result in found.criterion_results if result.decides or keeps_open(found, result))


def _detail(
    found: Determination, deciding: Sequence[CriterionResult], page_of: PageOf, asks: bool, unsent: Sequence[str]
) -> Iterator[str]:
    """The paragraphs of a card, in GitHub Markdown."""
    title = f"**{TITLES[found.outcome].capitalize()}**"
    yield " ".join(filter(None, (title, _escaped(consequence(found)))))
    yield _escaped(f"Because {found.because}.")
    yield "\n".join(
        f"- [{_escaped(result.criterion.notation)}]({page_of(result.criterion.iri)}), {result.value.value}: "
        + _escaped("; ".join((result.criterion.label, *reasons(found, result))))
        for result in deciding
    )
    asked = to_send_in(found) if asks else None
    if asked:
        yield "\n".join(("To send in:", *_asked(asked, 0)))
    if unsent:
        yield _escaped(f"Not sent, so that it is unknown what stands there: {', '.join(unsent)}.")
    notices = "\n".join(f"- {_escaped(notice)}" for notice in found.notices)
    yield from filter(None, (notices, f"{NO_PROMISE} {REVIEW}"))


def _asked(asks: Asks, depth: int) -> Iterator[str]:
    """What to send in as lines of a list."""
    indent = "  " * depth
    if isinstance(asks, Ask):
        yield f"{indent}- {_escaped(str(asks))}"
        return
    assert isinstance(asks, AskGroup)
    if len(asks.parts) > 1:
        yield f"{indent}- {_OF.get(asks.operator, asks.how_many.capitalize())} these:"
        depth += 1
    for part in asks.parts:
        yield from _asked(part, depth)


def _escaped(text: str) -> str:
    """A text as Markdown that shows it as it is."""
    return _MARKED.sub(r"\\\1", text)


def _uuid(key: str) -> str:
    return str(UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))
