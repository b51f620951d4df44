"""What a revision states: criteria, conditions, advisories, references and places in the document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kb_tools.model.logic import Tree
from kb_tools.model.windows import Window
from kb_tools.rdf.namespaces import POL

# The roles a criterion can have, in the order in which a reader wants them, by the property that gives them.
ROLES = {
    "applicability": POL.appliesWhen,
    "indication": POL.indication,
    "limitation": POL.limitation,
    "remainder": POL.remainder,
    "exclusion": POL.exclusion,
}


@dataclass(frozen=True)
class Passage:
    """A place in the document."""

    iri: str
    notation: str
    section: str

    def to_dict(self) -> dict[str, str]:
        """Give the place as JSON values."""
        return {"passage": self.iri, "section": self.section, "place": self.notation}


@dataclass(frozen=True)
class Reference:
    """A work that a statement cites, as one line of print."""

    iri: str
    number: int
    text: str
    doi: str

    def to_dict(self) -> dict[str, Any]:
        """Give the reference as JSON values."""
        return {"number": self.number, "text": self.text, "doi": self.doi or None}


@dataclass(frozen=True)
class Condition:
    """A leaf of the criteria.

    Attributes:
        reads: the classes of findings and the properties that it reads, and nothing else.
        holds_when, fails_when: the IRIs of its two node shapes.
        possible: the local names of the values that it can take ("Holds", …).
        within: how old a finding may be to count for it; None for any age.
    """

    iri: str
    label: str
    definition: str
    notes: tuple[str, ...]
    asks_for: str
    reads: frozenset[str]
    holds_when: str
    fails_when: str
    possible: frozenset[str]
    within: Window | None = None


@dataclass(frozen=True)
class Criterion:
    """A statement that decides.

    Attributes:
        role: a key of ROLES, or "part" for one that stands within another.
        tree: its content; None for a remainder, which holds where every indication fails.
        otherwise: title and IRI of the policy to read where an applicability fails.
        parts: the criteria within it that the document gives a place of their own, each with its own parts.
        limits: of a limitation or exclusion, the IRIs of the indications that it limits; none where it limits all.
    """

    iri: str
    role: str
    notation: str
    label: str
    definition: str
    notes: tuple[str, ...]
    tree: Tree | None
    places: tuple[Passage, ...]
    citations: tuple[Reference, ...]
    otherwise: tuple[str, str] | None
    parts: tuple[Criterion, ...] = ()
    limits: tuple[str, ...] = ()

    def with_parts(self) -> Iterator[Criterion]:
        """The criterion, then its parts, each followed by its own."""
        yield self
        for part in self.parts:
            yield from part.with_parts()


@dataclass(frozen=True)
class Advisory:
    """What the document advises outside its criteria.

    Given when each of `when` holds or is conflicting, and `unless` is absent or does not hold.
    """

    iri: str
    label: str
    text: str
    when: tuple[Tree | str, ...]
    unless: Tree | str | None
    places: tuple[Passage, ...]
    citations: tuple[Reference, ...]

    def conditions(self) -> Iterator[str]:
        """The conditions on which it depends whether it is given."""
        for part in (*self.when, self.unless):
            if isinstance(part, Tree):
                yield from part.conditions()
            elif part is not None:
                yield part

    def to_dict(self) -> dict[str, Any]:
        """Give the advisory as JSON values."""
        return {
            "advisory": self.iri,
            "label": self.label,
            "text": self.text,
            "always": not self.when,
            "passages": [place.to_dict() for place in self.places],
            "references": [citation.to_dict() for citation in self.citations],
        }
