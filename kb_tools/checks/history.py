"""Checks of a policy's history: its folders, revisions and log, and which revision is in force when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

from rdflib import URIRef
from rdflib.namespace import PROV, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.checks.core import Problem, name, names, relative
from kb_tools.errors import UnknownRevision
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name


def strangers(kb: Repository, policy: Policy) -> Iterator[Problem]:
    """Folders that describe another policy or revision than they are called for, as a copy does.

    Nothing else can be told of such a policy.
    """
    for file, iri, kind in (
        (policy.folder / POLICY_FILE, policy.iri, POL.Policy),
        *((folder / "revision.ttl", f"{policy.iri}/{folder.name}", POL.Revision) for folder in _folders(policy)),
    ):
        described = set(kb.graph([file]).subjects(RDF.type, kind))
        if URIRef(iri) in described:
            continue
        found = names(kb, described)
        where, called = relative(kb, file), file.parent.name
        hint = f"write <{iri}> for it in every file of the folder" if described else f"describe <{iri}>"
        own = f", with prefixes of {called}'s own" if described and kind == POL.Policy else ""
        yield Problem(where, f"describes {found} as {name(kb, kind)}, in a folder called {called}; {hint}{own}")
        if kind == POL.Policy:
            return


def _folders(policy: Policy) -> list[Path]:
    return [folder for _, folder in sorted(policy.revision_folders.items())]


def history(kb: Repository) -> Iterator[Problem]:
    """Folders, revisions and log rows that do not stand for each other one to one, or not in order."""
    for policy in kb.policies():
        if strange := list(strangers(kb, policy)):
            yield from strange
            continue
        yield from _folder_problems(kb, policy)
        yield from _row_problems(kb, policy)
        yield from _chain_problems(kb, policy)


def _folder_problems(kb: Repository, policy: Policy) -> Iterator[Problem]:
    """Folder name = revision IRI = revision month = log row, or a discrepancy that records the missing row."""
    for folder_name, folder in policy.revision_folders.items():
        where = relative(kb, folder)
        iri = URIRef(f"{policy.iri}/{folder_name}")
        graph = kb.graph(sorted(folder.glob("*.ttl")))
        described = set(graph.subjects(RDF.type, POL.Revision))
        if described != {iri}:
            yield Problem(where, f"describes {names(kb, described)} as pol:Revision; describe <{iri}> alone")
        months = [str(month) for month in graph.objects(iri, POL.revisionMonth)]
        if months != [folder_name]:
            yield Problem(
                where,
                f"gives pol:revisionMonth {', '.join(months) or 'nothing'}; give {folder_name}, as the folder is",
            )
        if set(graph.objects(iri, POL.revisionOf)) != {URIRef(policy.iri)}:
            yield Problem(where, f"is not pol:revisionOf <{policy.iri}> alone; state it")
        rows = len(list(policy.shared.subjects(POL.records, iri)))
        missing = len(list(policy.shared.subjects(POL.recordsMissingRowOf, iri)))
        if rows + missing != 1:
            yield Problem(
                where,
                f"has {rows} log rows and {missing} discrepancies that record a missing one; "
                "give it the row that the log prints, or one discrepancy with pol:recordsMissingRowOf",
            )


def _row_problems(kb: Repository, policy: Policy) -> Iterator[Problem]:
    """Every row records one revision that has a folder, of its own month; rows are numbered in the order of months."""
    shared = policy.shared
    rows = sorted(set(shared.subjects(RDF.type, POL.LogRow)), key=str)
    for row in rows:
        month = str(shared.value(row, POL.revisionMonth))
        recorded = list(shared.objects(row, POL.records))
        if [local_name(revision) for revision in recorded] != [month] or month not in policy.revision_folders:
            yield Problem(
                name(kb, row),
                f"of month {month} records {names(kb, recorded)}; name the revision of that month, with a folder",
            )
    by_month = sorted(rows, key=lambda row: str(shared.value(row, POL.revisionMonth)))
    for number, row in enumerate(by_month, start=1):
        orders = [str(order) for order in shared.objects(row, POL.order)]
        if orders != [str(number)]:
            yield Problem(
                name(kb, row), f"has pol:order {', '.join(orders) or 'nothing'}; by its month it is row {number}"
            )


def _chain_problems(kb: Repository, policy: Policy) -> Iterator[Problem]:
    """Every revision but the first was made from the one before it."""
    before: set[Node] = set()
    for folder_name, folder in sorted(policy.revision_folders.items()):
        iri = URIRef(f"{policy.iri}/{folder_name}")
        stated = set(kb.graph([folder / "revision.ttl"]).objects(iri, PROV.wasRevisionOf))
        if stated != before:
            yield Problem(
                relative(kb, folder), f"was revised from {names(kb, stated)}; by the folders it is {names(kb, before)}"
            )
        before = {iri}


def log_dates(kb: Repository) -> Iterator[Problem]:
    """Dates of log rows that are not those printed: they say which revision is in force when."""
    pairs = ((POL.revisionMonth, POL.revisionAsPrinted), (POL.approval, POL.approvalAsPrinted))
    for policy in kb.policies():
        for row in sorted(set(policy.shared.subjects(RDF.type, POL.LogRow)), key=str):
            for taken, printed in pairs:
                text, value = policy.shared.value(row, printed), policy.shared.value(row, taken)
                if not _agree(str(text or ""), str(value or "")):
                    yield Problem(
                        name(kb, row),
                        f'{name(kb, taken)} is {value or "not given"} where "{text or ""}" is printed; correct one',
                    )


# Words by which a log speaks of the day from which a revision takes effect.
_EFFECT = re.compile(r"\beffective\b|\b(takes?|took|taking) effect\b", re.IGNORECASE)


def approvals(kb: Repository) -> Iterator[Problem]:
    """Approvals that may be dates of effect, which are none: a revision counts from its approval.

    Those whose row speaks of effect, and those of another month than their revision, unless a discrepancy concerns the
    row or a note of it speaks of the approval: then somebody has looked.
    """
    for policy in kb.policies():
        shared = policy.shared
        for row, approval in sorted(shared.subject_objects(POL.approval), key=str):
            month = str(shared.value(row, POL.revisionMonth))
            notes = list(shared.objects(row, SKOS.scopeNote))
            speaks = next(filter(_EFFECT.search, _texts(policy, row)), "")
            looked_at = (None, POL.concerns, row) in shared or any("approv" in str(note).lower() for note in notes)
            if looked_at or not (speaks or str(approval)[:7] != month):
                continue
            why = f'and its row speaks of effect, "{speaks}"' if speaks else f"and its revision is of {month}"
            yield Problem(
                name(kb, row),
                f"pol:approval is {approval}, {why}: a date of effect is no approval, and the revision would count "
                "from it; remove pol:approval and pol:approvalAsPrinted, or, if the document prints it as an approval, "
                "say so by skos:scopeNote on the row, or by a discrepancy that concerns it",
            )


def _texts(policy: Policy, row: Node) -> Iterator[str]:
    """What a row of the log says in words, how its dates are printed, and what its places are called."""
    shared = policy.shared
    for node in (row, *shared.objects(row, POL.says)):
        for link in (POL.approvalAsPrinted, RDFS.label, SKOS.scopeNote):
            yield from sorted(map(str, shared.objects(node, link)))
    for revision in shared.objects(row, POL.records):
        if (folder := policy.revision_folders.get(local_name(revision))) is not None:
            graph = policy.kb.graph(policy.kb.files_in(folder))
            for place in shared.objects(row, POL.statedIn):
                yield from sorted(map(str, graph.objects(place, SKOS.notation)))


def _agree(printed: str, taken: str) -> bool:
    """Whether a date as printed, in whatever order and with two digits of the year or four, has the numbers of `taken`.

    Of a day that is printed the month may be taken: 10/01/2024 or 2024-10-01 for 2024-10. A date printed with a month
    in letters is not compared.
    """
    if re.search(r"[A-Za-z]", printed):
        return bool(taken)
    shown, stated = ([int(number) % 100 for number in re.findall(r"\d+", text)] for text in (printed, taken))
    if len(shown) == 3 and len(stated) == 2:
        year_first = bool(re.match(r"\d{4}\D", printed))
        shown = [shown[0], shown[1]] if year_first else [shown[0], shown[2]]
    return sorted(shown) == sorted(stated)


def in_force(kb: Repository) -> Iterator[Problem]:
    """Days on which no one revision can be chosen, and revisions that a later one overtakes."""
    for policy in kb.policies():
        where = relative(kb, policy.folder)
        # A draft takes no place among those in force.
        for earlier, later in pairwise(policy.released):
            if later.effective <= earlier.effective:
                yield Problem(
                    where,
                    f"revision {later.name} is in force from {later.effective}, revision {earlier.name} from "
                    f"{earlier.effective}: not in their order; correct a pol:approval",
                )
        last = max((entry.effective for entry in policy.released), default=None)
        first = min((entry.effective for entry in policy.released), default=None)
        if not policy.history:
            begin = f"kb draft start DOCUMENT --policy {policy.identifier} --revision YYYY-MM"
            yield Problem(where, f"has no revision; begin one with {begin}, or write YYYY-MM/revision.ttl by hand")
        elif first is not None and last is not None:
            yield from _sweep(policy, where, first, last.replace(year=last.year + 5, day=1))


def _sweep(policy: Policy, where: str, first: date, last: date) -> Iterator[Problem]:
    """Asks for the revision in force on the first of every month."""
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    for day in (date(month // 12, month % 12 + 1, 1) for month in months):
        try:
            policy.in_force(day)
        except UnknownRevision:
            continue  # None was in force yet, or its criteria are not on file: an answer that names the hint.
        except Exception as error:  # Whatever else is raised, a user asking for that day meets it.
            yield Problem(
                where, f"no revision can be chosen on {day}: {type(error).__name__}: {error}; correct the history"
            )
            return
