"""Only what a change reaches is checked again, on all cores; what checks came to is kept in the cache folder.

Kept is, for each unit, what each check found in it, with the state of all that this depends on: every file that the
unit sees, and the code that checks it. The state of a file is its size and the times of its last change, that of its
entry among them, which no program can set back. Where anything differs, the unit is checked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cached_property
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from kb_tools import __version__
from kb_tools.cache import cache_folder, keep_text, kept_text
from kb_tools.checks import CHECKS
from kb_tools.checks.core import Check, CheckResult, Problem
from kb_tools.checks.units import (
    SHARED,
    VOCABULARIES,
    Checker,
    Outcome,
    Unit,
    across,
    asked,
    merged,
    named_in,
    units,
)
from kb_tools.model.repository import POLICIES, Repository

# Changes when the file is laid out differently, so that an older one is not used.
LAYOUT = 1
# What checks are made of, apart from this package.
_LIBRARIES = ("rdflib", "pyshacl", "owlrl", "pyoxigraph")
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcomes:
    """What the checks came to in a unit.

    Attributes:
        by_check: by the ids of the checks.
        described: what it describes for others.
    """

    by_check: dict[str, Outcome]
    described: frozenset[str]


Found = tuple[Unit, Outcomes]


@dataclass(frozen=True)
class _Kept:
    """What is kept of a unit.

    Attributes:
        state: of the files that are its own.
        named: what they name.
        seen: the state of all that it sees.
        outcomes: what the checks came to.
    """

    state: str
    named: frozenset[str]
    seen: str
    outcomes: Outcomes


class Memory:
    """What checks came to before, in one file for each knowledge base."""

    def __init__(self, kb: Repository) -> None:
        self._kb = kb
        name = hashlib.sha256(str(kb.root.resolve()).encode()).hexdigest()[:16]
        self._path = cache_folder() / f"checks-{name}.json"
        self._states: dict[str, str] = {}
        self._units = self._read()

    @cached_property
    def _code(self) -> str:
        """The state of the code that checks."""
        versions = [f"{name} {version(name)}" for name in _LIBRARIES]
        files = _state(path for path in _PACKAGE.rglob("*") if path.suffix in (".py", ".rq"))
        ids = [check.id for check in CHECKS]
        return " ".join([str(LAYOUT), __version__, platform.python_version(), *versions, files, *ids])

    def _read(self) -> dict[str, _Kept]:
        text = kept_text(self._path)
        try:
            stated = json.loads(text or b"{}")
            if stated.get("code") != self._code:
                return {}
            return {name: _kept(one) for name, one in stated["units"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    def units(self) -> list[Unit]:
        """The units of the knowledge base, what they name read only where their files changed."""
        names = [VOCABULARIES, *(folder.name for folder in self._kb.policy_folders)]
        return list(units(self._kb, {name: self._named(name) for name in names}))

    def _named(self, unit: str) -> frozenset[str]:
        kept = self._units.get(unit)
        return kept.named if kept and kept.state == self._state(unit) else named_in(self._kb, unit)

    def _state(self, unit: str) -> str:
        """The state of the files that are a unit's own."""
        if unit not in self._states:
            view = self._kb.showing([unit])
            folders = SHARED if unit == VOCABULARIES else (POLICIES,)
            self._states[unit] = _state(path for folder in folders for path in view.paths(folder))
        return self._states[unit]

    def _seen(self, unit: Unit) -> str:
        """The state of all that a unit sees."""
        return _digest([self._state(name) for name in (VOCABULARIES, *sorted(unit.folders or ()))])

    def recall(self, unit: Unit) -> Outcomes | None:
        """What the checks came to in a unit; None where anything that it sees changed since."""
        kept = self._units.get(unit.name)
        return kept.outcomes if kept and kept.seen == self._seen(unit) else None

    def keep(self, found: Mapping[Unit, Outcomes]) -> None:
        """Keeps what all checks came to; of a unit in which one was stopped, nothing."""
        whole = {
            unit: outcomes for unit, outcomes in found.items() if all(one.kept for one in outcomes.by_check.values())
        }
        stated = {
            unit.name: {
                "state": self._state(unit.name),
                "named": sorted(self._named(unit.name)),
                "seen": self._seen(unit),
                "outcomes": {id_: [one.skipped, *map(astuple, one.problems)] for id_, one in outcomes.by_check.items()},
                "described": sorted(outcomes.described),
            }
            for unit, outcomes in whole.items()
        }
        keep_text(self._path, json.dumps({"code": self._code, "units": stated}).encode())


def _kept(stated: dict[str, Any]) -> _Kept:
    outcomes = {
        id_: Outcome(tuple(Problem(*one) for one in problems), skipped)
        for id_, (skipped, *problems) in stated["outcomes"].items()
    }
    return _Kept(
        stated["state"], frozenset(stated["named"]), stated["seen"], Outcomes(outcomes, frozenset(stated["described"]))
    )


def _state(paths: Iterable[Path]) -> str:
    """The state of what stands at these paths."""
    return _digest(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}" for path, stat in _stats(paths))


def _stats(paths: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for path in paths:
        # What was removed since it was listed is not there.
        with suppress(FileNotFoundError):
            yield path, path.stat()


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()


# ---------------------------------------------------------------------- running


def check_what_changed(
    kb: Repository,
    everything: bool = False,
    watched: Callable[[Iterator[Found]], Iterator[Found]] = iter,
    policy: str | None = None,
) -> list[CheckResult]:
    """What all checks come to, as `run_checks` gives it; only what changed since the last time is checked again.

    Args:
        everything: whether all is checked again.
        watched: hands on what is found, unit by unit, as somebody wants to see it.
        policy: leave out what is wrong with other policies than this one.

    Raises:
        KbError: there is no such policy.
    """
    chosen = kb.policy(policy).identifier if policy else None
    memory = Memory(kb)
    every = memory.units()
    found = {} if everything else {unit: kept for unit in every if (kept := memory.recall(unit)) is not None}
    changed = [unit for unit in every if unit not in found]
    found.update(watched(_on_all_cores(kb, changed)))
    if changed:
        memory.keep({unit: found[unit] for unit in every})

    def described() -> set[str]:
        return {iri for outcomes in found.values() for iri in outcomes.described}

    def result(check: Check) -> CheckResult:
        outcomes = {unit.name: found[unit].by_check[check.id] for unit in every if unit.concerns(check)}
        return across(kb, merged(check, asked(check, outcomes, chosen), described), chosen)

    return [result(check) for check in CHECKS]


def _on_all_cores(kb: Repository, changed: Sequence[Unit]) -> Iterator[Found]:
    processes = min(len(changed), os.cpu_count() or 1)
    if processes < 2:
        yield from ((unit, _outcomes(kb, unit)) for unit in changed)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (kb.root,)) as pool:
        waiting = {pool.submit(_work, unit): unit for unit in changed}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def _outcomes(kb: Repository, unit: Unit) -> Outcomes:
    checker = Checker(kb, unit)
    by_check = {check.id: checker.outcome(check) for check in CHECKS if unit.concerns(check)}
    return Outcomes(by_check, checker.described)


# The knowledge base of a process that checks: what all units share is loaded once.
_loaded: list[Repository] = []


def _begin(root: Path) -> None:
    _loaded[:] = [Repository(root)]


def _work(unit: Unit) -> Outcomes:
    return _outcomes(_loaded[0], unit)
