"""A calendar day as it is written everywhere: YYYY-MM-DD."""

from __future__ import annotations

import re
from datetime import date

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def calendar_day(text: str) -> date:
    """The day that a text names. A week ("2024-W01-1") or a day of a year is none, as is one without hyphens.

    Raises:
        ValueError: it is no calendar day, or is written otherwise.
    """
    if not _DAY.fullmatch(text):
        raise ValueError(f"{text!a} is not written YYYY-MM-DD")
    return date.fromisoformat(text)
