"""A draft begun from a document: the next edition of a policy, or the first that is on file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import RDF, SKOS

from kb_tools.as_json import AsJson
from kb_tools.authoring.digests import add_digests
from kb_tools.authoring.policy_files import prefix_of, text_of, with_prefix, write
from kb_tools.document.draft import (
    NEW,
    PASSAGES,
    first_draft,
    folder_of,
    printed,
    write_draft,
)
from kb_tools.document.notation import notations
from kb_tools.document.passages import passages, revisions_with_digests
from kb_tools.document.trace import Trace, trace, trace_by_place, units_of
from kb_tools.document.unit import HEADER, REVISION_LOG, Unit
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.rdf.edits import short
from kb_tools.rdf.files import parse_file
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import graph_of

LOG_FILE = "revision-log.ttl"
TO_DO_OF_ROW = (
    "Give the approval as it is printed (pol:approval, pol:approvalAsPrinted) and what the row says, statement by "
    "statement (pol:says)."
)


@dataclass(frozen=True)
class Started(AsJson):
    """A draft that was begun.

    Attributes:
        folder: of the revision.
        changed: the files of the policy that were written or changed.
        to_do: how many things are to do.
        sections: how many units of the document stand in each of its sections, in the order of the document.
        traced: how its document compares with the edition before; None for the first document.
    """

    folder: Path
    changed: tuple[Path, ...]
    to_do: int
    sections: dict[str, int]
    traced: Trace | None

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return {
            "folder": str(self.folder),
            "changed": [str(path) for path in self.changed],
            "toDo": self.to_do,
            "sections": self.sections,
            "trace": self.traced.to_dict() if self.traced else None,
        }


def start(policy: Policy, name: str, document: Path) -> Started:
    """Begins the draft of the revision `name` ("2027-02") from a copy of its document. No text of it is kept.

    From the edition before it, what is unchanged is carried over and the rest marked with pol:toDo. The passages of the
    new document get a prefix in policy.ttl, and the revision a row in revision-log.ttl, marked as well. A revision that
    is on file without digests, and not frozen, gets those of its document.

    Raises:
        KbError: the document cannot be read, is of another policy or, where it is the first, has no heading; the name
            is no month, or the revision is there already; or a file cannot be written.
    """
    known = next((entry for entry in policy.history if entry.name == name), None)
    if known is not None and known not in revisions_with_digests(policy):
        changed_files, to_do, by_place = add_digests(policy, known, document)
        return Started(policy.revision_folders[name], changed_files, to_do, _sections(by_place.units), by_place)
    folder_of(policy, name)
    prefix = prefix_of(policy, name)
    namespace = f"{policy.iri}/{name}/passage/"
    prefixes = {**policy.prefixes, prefix: namespace}
    latest = max(policy.revision_folders, default="")
    if name < latest:
        raise KbError(
            f"revision {latest} is there already, and later", where=str(policy.folder), hint="name a later month"
        )
    if any(entry.draft for entry in policy.history):
        raise KbError(f"{policy.identifier} has a draft already", hint="kb draft status lists what is left of it")
    found = _traced(policy, document)
    if found is not None:
        units = found.units
        folder, to_do = write_draft(found, name, prefixes)
    else:
        cut = units_of(document, [])
        units = tuple(zip(cut, notations(cut), strict=True))
        if _sections(units).keys() <= {HEADER}:
            raise UnreadableInput(
                "no heading is found in it",
                where=document.name,
                hint="put a blank line before and after each heading",
            )
        folder, to_do = first_draft(policy, name, units, prefixes)
    changed = {policy.folder / POLICY_FILE: with_prefix(policy, prefix, namespace)}
    if (None, POL.records, URIRef(f"{policy.iri}/{name}")) not in policy.shared:
        place = _place_of_row(folder, units, name)
        changed[policy.folder / LOG_FILE] = _with_row(policy, name, place, prefixes)
        if place is not None:
            changed[folder / PASSAGES] = _stated(folder / PASSAGES, place)
        to_do += place is None
    write(policy, changed)
    files = (*changed, *sorted({*folder.iterdir()} - changed.keys()))
    return Started(folder, files, to_do, _sections(units), found)


def _sections(units: Iterable[tuple[Unit, str]]) -> dict[str, int]:
    """The sections of a document, each with the number of its units."""
    return dict(Counter(unit.section for unit, _ in units))


def _traced(policy: Policy, document: Path) -> Trace | None:
    """How the document compares with the edition before; None where there is none.

    With the latest of which digests are kept; where they are kept of none, with the latest that states passages, by the
    names of their places.

    Raises:
        KbError: the document cannot be read or is of another policy, or no edition before states any passage.
    """
    if not policy.history:
        return None
    if before := revisions_with_digests(policy):
        known = passages(policy, before[-1])
        return trace(policy, before[-1], document.name, units_of(document, known))
    for entry in reversed(policy.history):
        if known := passages(policy, entry, with_digest=False):
            return trace_by_place(policy, entry, document.name, units_of(document, known))
    last = policy.history[-1]
    raise KbError(
        f"no revision of {policy.identifier} states a passage of its document, so none can be compared",
        where=str(policy.revision_folders[last.name]),
        hint=f"if this is the document of {last.name}, give --revision {last.name}; else write its passages.ttl first",
    )


def _place_of_row(folder: Path, units: Sequence[tuple[Unit, str]], name: str) -> URIRef | None:
    """The new place where the document's log prints the month of the revision; None where there is none, or two."""
    year, month = name.split("-")
    printed_month = re.compile(rf"(?<!\d)0?{int(month)}/(?:\d+/)?(?:{year[:2]})?{year[2:]}(?!\d)")
    graph = graph_of(parse_file(folder / PASSAGES))
    places = [
        node
        for unit, notation in units
        if unit.section == REVISION_LOG and unit.kind == "row" and printed_month.search(unit.text)
        for node in graph.subjects(SKOS.notation, Literal(notation))
        if isinstance(node, URIRef) and (node, POL.toDo, Literal(NEW, lang="en")) in graph
    ]
    return places[0] if len(places) == 1 else None


def _stated(path: Path, place: URIRef) -> str:
    """The passages of the draft without the mark of a place that something states now."""
    text = text_of(path)
    text.replace(place, POL.toDo, Literal(NEW, lang="en"), "", None)
    return text.text


def _with_row(policy: Policy, name: str, place: URIRef | None, prefixes: Mapping[str, str]) -> str:
    """The log with a row for the new revision, which is marked."""
    rows = sorted(str(row) for row in policy.shared.subjects(RDF.type, POL.LogRow))
    namespace = rows[-1].rpartition("/")[0] + "/" if rows else f"{policy.iri}/log/"
    iri = short(URIRef(namespace + name), prefixes)
    as_printed = printed(f"{policy.iri}/{name}")
    text = text_of(policy.folder / LOG_FILE)
    stated = f"    pol:statedIn {short(place, prefixes)} ;\n" if place else ""
    text.append(
        f"""
# ---------------------------------------------------------------- {as_printed}

{iri}
    a pol:LogRow ;
    rdfs:label "log row {as_printed}"@en ;
    pol:order {len(rows) + 1} ;
    pol:revisionMonth "{name}"^^xsd:gYearMonth ;
    pol:revisionAsPrinted "{as_printed}" ;
    pol:records <{policy.iri}/{name}> ;
{stated}    pol:toDo "{TO_DO_OF_ROW}"@en .
""",
        prefixes,
    )
    return text.text
