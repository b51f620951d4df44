"""A draft as a page: what is left to do in it, and what keeps it from being released."""

from __future__ import annotations

from collections.abc import Sequence

from kb_tools.authoring.finish import Release
from kb_tools.authoring.first import FirstEdition
from kb_tools.authoring.start import Started
from kb_tools.document.left import Draft, Left
from kb_tools.document.trace import Trace
from kb_tools.model.parts import BASES
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import POL
from kb_tools.render import diff as of_diff
from kb_tools.render.page import Document, Paragraph, Table


def started(kb: Repository, made: Started) -> Document:
    """What was begun: the files, and how much of the document is as before."""
    shown = Document(f"{made.folder.relative_to(kb.root)}: a draft, with {made.to_do} things to do")
    files = [str(path.relative_to(kb.root)) for path in made.changed]
    found = made.traced
    shown.section("Document", Paragraph(_as_before(found) if found else _cut(made.sections)))
    shown.section(
        "Written",
        *[Paragraph(file, item=True) for file in files],
        Paragraph("kb draft status lists what is to do."),
    )
    return shown


def _cut(sections: dict[str, int]) -> str:
    """Into what a first document is cut, so that a heading that was not recognised is seen at once."""
    named = ", ".join(f"{section} ({count})" for section, count in sections.items())
    return f"Its sections, with the number of passages in each: {named}."


def _as_before(found: Trace) -> str:
    """How much of the document is as before, or stands at places that are on file where no digests are kept."""
    if not found.by_place:
        return f"{len(found.found)} of {len(found.units)} units of the document are as before."
    what = (
        f"Of {found.entry.name} no digests are kept: {len(found.reworded)} of {len(found.units)} units of the document"
    )
    return f"{what} stand at places that it names, and nothing tells whether they say what they said."


def status(kb: Repository, draft: Draft) -> Document:
    """What must be decided, and what only has to be pointed to its place in the new document."""
    before = f", made from {draft.before.name}" if draft.before else ""
    shown = Document(f"{draft.policy.identifier} draft {draft.entry.name}{before}")
    decide, point = draft.to_decide, draft.mechanical
    shown.section(f"To decide: {len(decide)}", Table(("Kind", "Place", "Statement", "What to do"), _rows(kb, decide)))
    shown.section(
        f"To point to its place: {len(point)}",
        Table(
            ("Place", "Stated there by"),
            [(one.place, "\n".join(kb.curie(str(statement)) for statement in one.shared)) for one in point],
        ),
        Paragraph("The wording is as before: kb draft accept --all-mechanical does all of them."),
    ) if point else None
    if not draft.left:
        name = f"{draft.policy.identifier}/{draft.entry.name}"
        shown.section("Nothing is left", Paragraph(f"kb draft done {name} says whether it can be released."))
    return shown


def _rows(kb: Repository, left: Sequence[Left]) -> list[tuple[str, str, str, str]]:
    return [(one.kind, one.place, f"{kb.curie(str(one.iri))} {one.label}".strip(), one.task) for one in left]


def obstacles(release: Release) -> Document:
    """What keeps a draft from being released."""
    shown = Document(f"{release.name} cannot be released yet")
    shown.section("What keeps it", *[Paragraph(str(one), item=True) for one in release.obstacles])
    return shown


def to_look_at(release: Release) -> Document:
    """What a person looks at before a draft is released: how it compares, or what the first edition holds."""
    shown = Document("")
    if release.diff:
        shown = of_diff.document(release.diff)
    elif release.first:
        shown = _first(release.draft.policy.kb, release.first)
    shown.section("Shown by no example case", *[Paragraph(gap, item=True) for gap in release.gaps])
    name = release.draft.policy.identifier
    shown.section(
        "Wording",
        Paragraph(
            "No eight words in a row of the document stand in the knowledge base."
            if release.document
            else f"Not compared: kb trace DOCUMENT --policy {name} --leaks says whether wording of the document stands "
            "in the project, and kb draft done --document DOCUMENT whether any stands in the knowledge base."
        ),
    )
    return shown


def _first(kb: Repository, first: FirstEdition) -> Document:
    """What is about to be released where there is no edition before."""
    shown = Document(f"{first.revision}, the first edition on file: this is about to be released")
    shown.section(
        "What is on file",
        Table(
            ("Part", "Rests on", "Statements"),
            [(part, BASES[basis], str(count)) for part, basis, count in first.parts],
        ),
    )
    shown.section(
        "Criteria",
        Table(
            ("Criterion", "As", "What it says"),
            [(name, role, "\n".join(lines)) for role, name, lines in first.criteria],
        ),
    )
    stated = first.passages.get("stated", 0)
    out = [
        f"{count} left out as {kb.labels[str(POL[why])]}" for why, count in first.passages.items() if why != "stated"
    ]
    shown.section("Passages", Paragraph(f"{', '.join([f'{stated} of {sum(first.passages.values())} stated', *out])}."))
    shown.section(
        "Example cases", Table(("Come to", "Cases"), [(name, str(count)) for name, count in first.outcomes.items()])
    )
    return shown
