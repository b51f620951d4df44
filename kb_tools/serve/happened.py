"""What happened with a request, for counts and logs: never of whom. Those who answer say it; who counts reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.types import Scope

_KEY = "kb.happened"


@dataclass
class Happened:
    """What a request came to.

    Attributes:
        outcomes: how many cases came to each outcome, "Malformed", "NotDetermined" and "Unreadable" among them.
        revisions: under which revisions cases were determined.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    revisions: set[str] = field(default_factory=set)

    def add(self, outcomes: Iterable[str], revisions: Iterable[str]) -> None:
        """Count what cases came to, as `case.desk.Told` says it."""
        self.outcomes.update(outcomes)
        self.revisions.update(revisions)


def happened(scope: Scope) -> Happened:
    """What is known of a request, to be added to."""
    found: Happened = scope.setdefault(_KEY, Happened())
    return found
