"""What kb trace shows: what of a document is accounted for, what is new, and what to review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from kb_tools import as_json
from kb_tools.document.leaks import Leak
from kb_tools.document.passages import Passage
from kb_tools.document.trace import Located, Review, Trace
from kb_tools.document.unit import Unit
from kb_tools.model.repository import Repository
from kb_tools.render.page import Document, Paragraph, Table

# Characters shown of a unit, from the reader's own copy.
SHOWN = 90


def document(kb: Repository, trace: Trace, quoted: bool) -> Document:
    """The trace as a document.

    Args:
        quoted: whether to show the beginnings of units, which are text of the document.
    """
    shown = Document(f"{trace.policy.identifier} revision {trace.entry.name}, compared with {trace.document}")
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
                (review.statement.kind, kb.curie(review.statement.iri), _name(review), review.why, _became(review))
                for review in trace.reviews
                if review.decides
            ],
        ),
    )
    shown.section(
        "Also stated there",
        Table(
            ("Kind", "Statement", "Passages"),
            [
                (
                    review.statement.kind,
                    kb.curie(review.statement.iri) if review.statement.iri else _name(review),
                    _passages(review),
                )
                for review in trace.reviews
                if not review.decides
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
                (located.passage.notation, located.notation, f"{min(located.likeness, 0.99):.0%}", *text(located.unit))
                for located in trace.reworded
            ],
        ),
    )
    shown.section("Gone from the document", *(Paragraph(_place(passage), item=True) for passage in trace.gone))
    shown.section(
        "Moved",
        Table(("Passage", "In the document"), [(_place(located.passage), _now(located)) for located in trace.moved]),
    )
    shown.section(
        "Citation marks that point to other works",
        Table(
            ("Passage", "Works cited, by their numbers in this document", "Marks in this document"),
            [
                (recited.passage.notation, ", ".join(recited.before) or "none", ", ".join(recited.now) or "none")
                for recited in trace.recited
            ],
        ),
    )
    unaccounted = [located.passage for located in trace.found if not located.passage.accounted]
    shown.section("Found, but nothing states it", *(Paragraph(_place(passage), item=True) for passage in unaccounted))
    return shown


def share(part: int, total: int) -> str:
    """A share in percent; 100 % only where nothing is missing."""
    return f"{100 * part // total if total else 100} %"


def _name(review: Review) -> str:
    return f"{review.statement.notation} {review.statement.label}".strip()


def _passages(review: Review) -> str:
    return "; ".join(place.notation for place in review.places)


def _became(review: Review) -> str:
    """The passages of a statement in question, each with what became of it where `why` does not say it."""
    return "; ".join(place if became == review.why else f"{place} ({became})" for place, became in review.told)


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
    lines = [f"{leak.where}: {leak.words} words in a row of the document, {leak.place}" for leak in found]
    return "\n".join([*lines, f"{len(found)} runs of words shared with the document"]) + "\n"


def leaks_json(found: Sequence[Leak]) -> str:
    """The same for other programs."""
    return as_json.dump([asdict(leak) for leak in found])
