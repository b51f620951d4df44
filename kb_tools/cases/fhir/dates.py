"""Days: as a case states them, and what FHIR resources say of when something was so."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from rdflib import Literal
from rdflib.namespace import XSD

from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.memo import KEPT

# The elements that say when a thing was so or done.
_TIMES = (
    *("recordedDate", "performedDateTime", "performedPeriod"),
    *("effectiveDateTime", "effectiveInstant", "effectivePeriod", "date", "detected"),
)


@lru_cache(KEPT)
def day_literal(day: date) -> Literal:
    """A day as a case states it."""
    return Literal(day.isoformat(), datatype=XSD.date, normalize=False)


def year_before(day: date) -> str:
    """The day a year before, as text; that of a 29th of February need not exist and still can be compared with."""
    return f"{day.year - 1:04}{day.isoformat()[4:]}"


def days_of(resource: Resource) -> tuple[date, date] | None:
    """The first and the last day that what a resource states may be of; None where that is not known."""
    root = resource.root
    named = [name for name in _TIMES if name in root.content]
    found = next(filter(None, map(root.days, named)), None)
    end = end_of(root)
    ended = root.days(end) if end else None
    if end and ended is None:
        return (found[0], date.max) if found else None
    if found and not ended:
        return found
    bounds = [days[1] for days in (found, ended) if days]
    if not bounds:
        # It was issued after it was found, and what it is contained in was written after both.
        issued = root.days("issued") or (days_of(resource.container) if resource.container else None)
        return (date.min, issued[1]) if issued else None
    return found[0] if found else date.min, max(bounds)


def end_of(condition: Element) -> str:
    """The element that states that a condition has ended, or "" if none does."""
    named = [name for name in condition.content if "abatement" in name]
    return next((name for name in named if name.lstrip("_").startswith("abatement")), "") if named else ""
