"""A billing code: our gloss, and which revisions list it."""

from __future__ import annotations

from typing import TypedDict

from kb_tools.rdf.namespaces import POL
from kb_tools.serve.pages.open import Discrepancy, concerning
from kb_tools.serve.pages.revision import Code as Listed
from kb_tools.serve.pages.revision import code_of
from kb_tools.serve.pages.thing import Referring, referring, subjects
from kb_tools.serve.view import Link, Standing, View


class Listing(TypedDict):
    """A revision that lists the code, and what it says of it."""

    revision: Link
    code: Listed


class Code(TypedDict):
    """A code of a system of billing codes. The descriptor is its owner's and is not kept here.

    `standings` say, by policy, whether the revision in force lists it.
    """

    iri: str
    title: str
    standings: list[Standing]
    listed: list[Listing]
    unknown: list[Link]
    referring: list[Referring]
    discrepancies: list[Discrepancy]


def data(view: View, target: str) -> Code:
    """The content of the page of a code."""
    bench = view.bench
    listing = [iri for iri in reversed(bench.entries) if iri in subjects(view, str(POL.lists), target)]
    codes = [code_of(view, bench.revision(iri), target) for iri in listing]
    head = f"{codes[0]['system']} {codes[0]['code']}" if codes else bench.notation(target)
    linked = {str(POL.lists), str(POL.concerns)}
    return {
        "iri": target,
        "title": head,
        "standings": view.standings(listing, "code"),
        "listed": [{"revision": view.link(iri), "code": code} for iri, code in zip(listing, codes, strict=True)],
        "unknown": view.links(
            iri for iri, (_, entry) in bench.entries.items() if entry.on_file["Codes"] == "NotOnFile"
        ),
        "referring": [group for group in referring(view, target) if group["property"]["iri"] not in linked],
        "discrepancies": [found for policy in bench.policies.values() for found in concerning(view, policy, target)],
    }
