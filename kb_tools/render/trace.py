"""What kb trace shows: what of a document is accounted for, what is new, and what to review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from kb_tools import as_json
from kb_tools.document.leaks import Leak
from kb_tools.document.passages import Passage
from kb_tools.document.trace import Located, Review, Trace
from kb_tools.document.unit import Unit
from kb_tools.model.repository import KnowledgeBase
from kb_tools.render.page import Document, Paragraph, Table

# Characters shown of a unit, from the reader's own copy.
SHOWN = 90


def document(kb: KnowledgeBase, trace: Trace, quoted: bool) -> Document:
    """The trace as a document.

    Args:
        quoted: whether to show the beginnings of units, which are text of the document.
    """
    shown = Document(f"{trace.policy.identifier} revision {trace.entry.name}, held against {trace.document}")
    accounted = sum(done for done, _ in trace.sections.values())
    passages = len(trace.found) + len(trace.reworded) + len(trace.gone)
    shown.section(
        "Accounted for",
        Paragraph(
            f"{accounted} of {len(trace.units)} units of the document ({share(accounted, len(trace.units))}); "
            f"{len(trace.found)} of {passages} passages of the revision found word for word."
        ),
        Table(
            ("Section", "Units", "Accounted for"),
            [(section, str(total), str(done)) for section, (done, total) in trace.sections.items()],
        ),
    )
    text = _beginning if quoted else _nothing
    shown.section(
        "To review, worst first",
        Table(
            ("Kind", "Statement", "Name", "Why", "Passages"),
            [
                (each.statement.kind, kb.curie(each.statement.iri), _name(each), each.why, _passages(each))
                for each in trace.reviews
                if each.decides
            ],
        ),
    )
    shown.section(
        "Also stated there",
        Table(
            ("Kind", "Statement", "Passages"),
            [
                (
                    each.statement.kind,
                    kb.curie(each.statement.iri) if each.statement.iri else _name(each),
                    _passages(each),
                )
                for each in trace.reviews
                if not each.decides
            ],
        ),
    )
    shown.section(
        "New in the document",
        Table(
            _heads("Place", "Kind", quoted=quoted),
            [(notation, unit.kind, *text(unit)) for unit, notation in trace.new],
        ),
    )
    shown.section(
        "Reworded",
        Table(
            _heads("Passage", "In the document", "Alike", quoted=quoted),
            [
                (each.passage.notation, each.notation, f"{min(each.likeness, 0.99):.0%}", *text(each.unit))
                for each in trace.reworded
            ],
        ),
    )
    shown.section("Gone from the document", *(Paragraph(_place(each), item=True) for each in trace.gone))
    shown.section(
        "Moved",
        Table(("Passage", "In the document"), [(_place(each.passage), _now(each)) for each in trace.moved]),
    )
    shown.section(
        "Citation marks that point to other works",
        Table(
            ("Passage", "Works cited, by their numbers in this document", "Marks in this document"),
            [(each.passage.notation, ", ".join(each.before), ", ".join(each.now)) for each in trace.recited],
        ),
    )
    unaccounted = [each.passage for each in trace.found if not each.passage.accounted]
    shown.section("Found, but nothing states it", *(Paragraph(_place(each), item=True) for each in unaccounted))
    return shown


def share(part: int, whole: int) -> str:
    """A part in percent; never 100 % of what is not whole."""
    return f"{100 * part // whole if whole else 100} %"


def _name(review: Review) -> str:
    return f"{review.statement.notation} {review.statement.label}".strip()


def _passages(review: Review) -> str:
    return "; ".join(place.notation for place in review.places)


def _heads(*heads: str, quoted: bool) -> tuple[str, ...]:
    return (*heads, "Begins") if quoted else heads


def _beginning(unit: Unit) -> tuple[str, ...]:
    return (unit.text if len(unit.text) <= SHOWN else unit.text[:SHOWN].rpartition(" ")[0] + " …",)


def _nothing(unit: Unit) -> tuple[str, ...]:
    return ()


def _place(passage: Passage) -> str:
    return passage.notation if passage.section in passage.notation else f"{passage.section}: {passage.notation}"


def _now(located: Located) -> str:
    section, notation = located.unit.section, located.notation
    return notation if section in notation else f"{section}: {notation}"


def leaks(found: Sequence[Leak]) -> str:
    """Shared wording, a line each; the words themselves are not repeated."""
    lines = [f"{each.where}: {each.words} words in a row of the document, {each.place}" for each in found]
    return "\n".join([*lines, f"{len(found)} runs of words shared with the document"]) + "\n"


def leaks_json(found: Sequence[Leak]) -> str:
    """The same for other programs."""
    return as_json.dump([asdict(each) for each in found])
