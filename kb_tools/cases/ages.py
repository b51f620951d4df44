"""How long before the service date a finding is: in days, and in calendar months.

The rule is that of `shapes/ages.ttl`, which `kb shapes` hands to other engines; a test holds the two against each other
(docs: design, section 3.2).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from rdflib import Literal, URIRef

from kb_tools.cases.case import Case
from kb_tools.model.windows import Window
from kb_tools.rdf.namespaces import CASE

# What is derived of a finding, in the order of `ages`.
AGES = (CASE.daysBefore, CASE.monthsBefore, CASE.withinMonths)


def ages(day: date, service: date) -> tuple[int, int, int]:
    """How long before the service date a day is.

    Args:
        day: not after the service date.

    Returns:
        the days between them, the whole calendar months that have passed, and the smallest number of calendar months
        before the service date within which the day lies.
    """
    months = 12 * (service.year - day.year) + service.month - day.month
    same = min(service.day, monthrange(day.year, day.month)[1])
    return (service - day).days, months - (day.day > same), months + (day.day < same)


def months_before(service: date, months: int) -> date:
    """The day that lies calendar months before another: the same of its month, or the last where it is shorter.

    Raises:
        ValueError: the calendar of Python has no such day.
    """
    month = 12 * service.year + service.month - 1 - months
    year, number = month // 12, month % 12 + 1
    return date(year, number, min(service.day, monthrange(year, number)[1]))


def lies_within(window: Window, day: date, service: date) -> bool:
    """Whether a finding of a day, not after the service date, counts for a condition with a window."""
    in_days, _, in_months = ages(day, service)
    return (in_months <= window.months) if window.months else (in_days <= window.days)


def stated_ages(day: str, service: str) -> Iterator[tuple[URIRef, Literal]]:
    """What is derived of a finding; nothing of one that is dated after the service date.

    Args:
        day, service: the dates, as YYYY-MM-DD.
    """
    if day <= service:
        found = ages(date.fromisoformat(day), date.fromisoformat(service))
        yield from ((property_, Literal(age)) for property_, age in zip(AGES, found, strict=True))


def aged(case: Case) -> Case:
    """A case with what is derived of how long before the service date each finding is."""
    service = case.service_date.isoformat()
    about = dict(case.about)
    for node in case.values(case.node, CASE.finding):
        assert isinstance(node, URIRef)
        about[node] = [*about[node], *stated_ages(str(case.value(node, CASE.date)), service)]
    return replace(case, about=about)
