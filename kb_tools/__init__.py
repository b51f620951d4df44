"""Health-plan clinical policy as data: load it, check it, and hold patient cases against its criteria.

Everything in `__all__` is public, and described in docs/api.md. A name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kb_tools.api import KnowledgeBase as KnowledgeBase
    from kb_tools.api import open as open
    from kb_tools.ask.result import QueryResult as QueryResult
    from kb_tools.ask.sparql import QueryError as QueryError
    from kb_tools.cases.case import Case as Case
    from kb_tools.cases.case import Malformed as Malformed
    from kb_tools.cases.case import Violation as Violation
    from kb_tools.checks.core import CheckResult as CheckResult
    from kb_tools.determine.examples import ExamplesReport as ExamplesReport
    from kb_tools.determine.result import Determination as Determination
    from kb_tools.determine.result import NotDetermined as NotDetermined
    from kb_tools.determine.result import Outcome as Outcome
    from kb_tools.determine.run import Determinations as Determinations
    from kb_tools.document.trace import Trace as Trace
    from kb_tools.errors import ArgumentError as ArgumentError
    from kb_tools.errors import KbError as KbError
    from kb_tools.errors import KnowledgeBaseError as KnowledgeBaseError
    from kb_tools.errors import UnknownRevision as UnknownRevision
    from kb_tools.errors import UnreadableInput as UnreadableInput
    from kb_tools.model.logic import Value as Value
    from kb_tools.records.recorder import Recorder as Recorder
    from kb_tools.records.replay import ReplayReport as ReplayReport
    from kb_tools.revisions.change import Diff as Diff

__version__ = "0.1.0"

# Where each public name is defined.
_HOMES = {
    "api": ("KnowledgeBase", "open"),
    "ask.result": ("QueryResult",),
    "ask.sparql": ("QueryError",),
    "cases.case": ("Case", "Malformed", "Violation"),
    "checks.core": ("CheckResult",),
    "determine.examples": ("ExamplesReport",),
    "determine.result": ("Determination", "NotDetermined", "Outcome"),
    "determine.run": ("Determinations",),
    "document.trace": ("Trace",),
    "errors": ("ArgumentError", "KbError", "KnowledgeBaseError", "UnknownRevision", "UnreadableInput"),
    "model.logic": ("Value",),
    "records.recorder": ("Recorder",),
    "records.replay": ("ReplayReport",),
    "revisions.change": ("Diff",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ArgumentError",
    "Case",
    "CheckResult",
    "Determination",
    "Determinations",
    "Diff",
    "ExamplesReport",
    "KbError",
    "KnowledgeBase",
    "KnowledgeBaseError",
    "Malformed",
    "NotDetermined",
    "Outcome",
    "QueryError",
    "QueryResult",
    "Recorder",
    "ReplayReport",
    "Trace",
    "UnknownRevision",
    "UnreadableInput",
    "Value",
    "Violation",
    "open",
]


def __getattr__(name: str) -> Any:
    """A public name, loaded now."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
