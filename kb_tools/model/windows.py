"""Windows: how old a finding may be to count for a condition (pol:within).

A window is put into the shapes of its condition: wherever they count findings, a finding is counted only if it lies
within the window before the service date. What is older then speaks neither for the condition nor against it (docs:
design, section 3.2). The shapes as written stay as they are, and so do those of every condition without a window.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.certainty import fresh_copy, rewritten
from kb_tools.rdf.namespaces import CASE, POL, SH
from kb_tools.rdf.terms import graph_of

# Whole years and months, or whole days; shape:Condition-within holds every window to the same.
_FORM = re.compile(r"P(?:([1-9][0-9]*)Y(?:([1-9][0-9]?)M)?|([1-9][0-9]*)M|([1-9][0-9]*)D)")
# The most years that a window is long: nobody is older.
MOST_YEARS = 120


class DamagedWindow(ValueError):
    """A pol:within that is no window."""


class UnreadableWindow(KnowledgeBaseError):
    """A condition has a window that cannot be read; nothing that hangs on it is determined."""


@dataclass(frozen=True)
class Window:
    """How long before the service date a finding may be dated.

    Attributes:
        text: as written: "P6M".
        months: the calendar months that it is long, or 0.
        days: the days that it is long, where it is given in days.
    """

    text: str
    months: int
    days: int

    @classmethod
    def parse(cls, text: str) -> Window:
        """The window that a duration gives.

        Raises:
            DamagedWindow: it is not one of whole years and months, or of whole days, and more than none; or it is
                longer than a life.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise DamagedWindow(f'{text!r} is no window; give whole years and months, or whole days: "P6M", "P30D"')
        years, with_years, months, days = (int((number or "0")[:9]) for number in found.groups())
        if max(years, months / 12, days / 366) > MOST_YEARS:
            raise DamagedWindow(
                f"{text!r} is longer than {MOST_YEARS} years, so every finding counts; correct it, or state no window"
            )
        return cls(text, 12 * years + with_years + months, days)

    @classmethod
    def of(cls, stated: Node) -> Window:
        """The window that a statement of pol:within gives.

        Raises:
            DamagedWindow: it is none, or a text that is not said to be a duration.
        """
        window = cls.parse(str(stated))
        if not isinstance(stated, Literal) or stated.datatype != XSD.duration:
            raise DamagedWindow(f'"{stated}" is a text and no duration; write "{stated}"^^xsd:duration')
        return window

    @property
    def words(self) -> str:
        """How long it is: "6 months"."""
        years, months = divmod(self.months, 12)
        if self.months and not months:
            return _plural(years, "year")
        return _plural(self.months, "month") if self.months else _plural(self.days, "day")

    @property
    def measured_by(self) -> URIRef:
        """The property that tells how long before the service date a finding lies."""
        return CASE.withinMonths if self.months else CASE.daysBefore

    @property
    def most(self) -> int:
        """The largest value of that property that a finding within the window has."""
        return self.months or self.days


def window_of(conditions: Graph, condition: Node) -> Window | None:
    """The window of a condition; None where it states none, or none that can be read."""
    try:
        return next((Window.of(stated) for stated in conditions.objects(condition, POL.within)), None)
    except DamagedWindow:
        return None


def asking(text: str, window: Window | None) -> str:
    """What to send in for a condition, with how old it may be."""
    return f"{text.rstrip('.')}, dated within the {window.words} before the service date." if window else text


def _plural(number: int, unit: str) -> str:
    return f"{number} {unit}{'s'[: number != 1]}"


def with_windows(conditions: Graph) -> Graph:
    """The conditions as they are evaluated: with each window in the shapes of its condition.

    A condition whose window is damaged has no shapes in it, so that nothing takes it for one without.

    Returns:
        the same graph where no condition has a window.
    """
    stated = list(conditions.subject_objects(POL.within))
    if not stated:
        return conditions
    evaluated = graph_of(conditions)
    for condition, _ in stated:
        for link in (POL.holdsWhen, POL.failsWhen):
            evaluated.remove((condition, link, None))
    for condition, duration in stated:
        for link, shape in _shapes(conditions, condition):
            try:
                window = Window.of(duration)
            except DamagedWindow:
                continue
            evaluated.add((condition, link, _within(conditions, shape, window, evaluated)))
    return evaluated


def _shapes(conditions: Graph, condition: Node) -> Iterator[tuple[URIRef, Node]]:
    for link in (POL.holdsWhen, POL.failsWhen):
        for shape in conditions.objects(condition, link):
            yield link, shape


def _within(shapes: Graph, shape: Node, window: Window, target: Graph) -> Node:
    """A shape of a condition that counts only findings within a window; one that counts none stays as it is."""

    def count(name: Node, counting: Node) -> None:
        for predicate, object_ in shapes.predicate_objects(counting):
            if predicate == SH.qualifiedValueShape:
                target.add((name, predicate, _narrowed(shapes, object_, window, target)))
            else:
                target.add((name, predicate, fresh_copy(object_, shapes, target)))

    return rewritten(shapes, shape, f"within-{window.text}", count, target)


def _narrowed(shapes: Graph, counted: Node, window: Window, target: Graph) -> BNode:
    """A shape of a finding that also lies within a window."""
    narrowed, age = BNode(), BNode()
    if isinstance(counted, URIRef):
        target.add((narrowed, SH.node, counted))
    else:
        for predicate, object_ in shapes.predicate_objects(counted):
            target.add((narrowed, predicate, fresh_copy(object_, shapes, target)))
    target.add((narrowed, SH.property, age))
    target.add((age, SH.path, window.measured_by))
    target.add((age, SH.minCount, Literal(1)))
    target.add((age, SH.maxInclusive, Literal(window.most)))
    return narrowed
