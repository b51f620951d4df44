"""A run over very many cases: planned, done range by range by worker processes, resumed, and counted at its end.

What makes the result exact is not what starts the workers but this: an input is pinned by the digests of its ranges and
its size; a part is named by its range, written whole or not at all, and kept if it is there with the bytes it was
written with; and the rows are counted against the cases before the run is called done.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

from rdflib import Graph

from kb_tools import __version__
from kb_tools.as_json import AsJson
from kb_tools.batch import parts, store
from kb_tools.batch.flips import COLUMNS, FlipCounter, Flipped
from kb_tools.batch.learned import version_of
from kb_tools.batch.parts import Part
from kb_tools.batch.ranges import RANGE, Pinned, Range, files_of, pin
from kb_tools.batch.store import Location
from kb_tools.batch.words import words
from kb_tools.batch.work import Settings, answers_of, part_of, process
from kb_tools.cases.fhir.r4 import library
from kb_tools.cases.record import NDJSON
from kb_tools.cases.terminology import Terminology
from kb_tools.determine.choice import ALL, choice_of
from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.soundness import skip_broken
from kb_tools.rdf import shacl
from kb_tools.rdf.files import read_bytes
from kb_tools.records.chain import Made
from kb_tools.records.folder import RecordFolder

MANIFEST, SUMMARY, WORDS = "manifest.json", "summary.json", "words.parquet"
# So many times in a row workers may end without a single part before the run is given up.
_TRIES = 3
# How long a scheduler is waited for.
TIMEOUT = "20s"
# What the answers depend on beside this package.
_LIBRARIES = ("pyarrow", "pyoxigraph", "pyshacl", "pyshifty", "rdflib", "shacl")


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Attributes:
        settings: the same for all ranges.
        pinned: the inputs.
        folder: where the parts go.
        skipped: how many files of the folders that are named are no inputs, by the endings of their names.
    """

    settings: Settings
    pinned: Pinned
    folder: Location
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def ranges(self) -> tuple[Range, ...]:
        """All ranges of all inputs."""
        return self.pinned.ranges

    @property
    def cases(self) -> int:
        """How many cases the inputs have."""
        return sum(one.cases for one in self.ranges)

    def missing(self) -> list[Range]:
        """The ranges whose parts are not there or not whole, and those that lack the record that they should have."""
        records = self.settings.records
        made = Made(RecordFolder(Path(records)).chain, self.settings.run) if records else None
        return [one for one in self.ranges if self.part(one) is None or (made and made.of(one.number) is None)]

    def part(self, one: Range) -> Part | None:
        """The part of a range, held with the answers beside it to their digests; None unless both are whole."""
        found = parts.find(part_of(self.folder, one), self.settings.of(one), one.cases)
        if found and self.settings.where:
            try:
                answers = store.read(answers_of(self.folder, one))
            except OSError:
                return None
            return found if hashlib.sha256(answers).hexdigest() == found.answers else None
        return found


@dataclass(frozen=True)
class Summary(AsJson):
    """What a run came to.

    Attributes:
        outcomes: how many cases came to each outcome.
        revisions: how many were determined under each revision.
        to_send: how often each condition is still to be settled.
        criteria: how often an outcome rests on each criterion, by its value, as "acute-gvhd: fails".
        conditions: how often each condition gives such a criterion its value, by its own value.
        reasons: why cases were not determined.
        compared: of a comparison, the second revision; "" for none.
        compared_outcomes: how many cases came to each outcome under that.
        flips: how many cases came from one outcome to another, as "A -> B".
        flipped: the same by what flipped them.
        policies: of a run of several policies, how many cases were of each; then revisions, conditions and criteria
            are counted with their policy before them, as "CP.MP.101/2026-02" and "CP.MP.101 acute-gvhd: fails".
    """

    cases: int
    outcomes: dict[str, int]
    revisions: dict[str, int]
    to_send: dict[str, int]
    criteria: dict[str, int]
    conditions: dict[str, int]
    reasons: dict[str, int]
    compared: str = ""
    compared_outcomes: dict[str, int] = field(default_factory=dict)
    flips: dict[str, int] = field(default_factory=dict)
    flipped: tuple[Flipped, ...] = ()
    policies: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give the counts as JSON values; `policies` only of a run of several."""
        found = {**vars(self), "flipped": [group.to_dict() for group in self.flipped]}
        return found if self.policies else {key: value for key, value in found.items() if key != "policies"}


def plan(
    kb: Repository,
    inputs: Sequence[Location],
    folder: Location,
    settings: Settings,
    size: int = RANGE,
    column: str = "",
    terminology: Sequence[Path] = (),
) -> Plan:
    """Plans a run, and writes its manifest, or takes up one that was broken off.

    Args:
        size: bytes of a range of lines.
        column: the column of Parquet files that holds the cases; "" for the only one with texts, or that named "case".
        terminology: files that say what the codes of a plan's own systems mean in FHIR.

    Raises:
        KbError: an input cannot be read, the folder holds something else, or a revision is unknown.
    """
    parts.arrow()
    # An engine that is not installed is told before anything is written.
    shacl.validate(Graph(), kb.case_shapes, settings.engine)
    policy = _policy(kb, settings)
    if policy:
        revision, compare = (
            policy.require_criteria(policy.entry(name)).name if name else None
            for name in (settings.revision, settings.compare)
        )
        settings = replace(settings, revision=revision, compare=compare)
        if settings.as_of:
            policy.in_force(date.fromisoformat(settings.as_of))
    files, skipped = files_of(inputs, folder)
    inputs_pinned = pin(files, size, column)
    ranges = inputs_pinned.ranges
    settings = replace(settings, terminology=_terminology(kb, ranges, terminology))
    asked = {
        "tool": f"kb {__version__}",
        "libraries": {name: found for name in _LIBRARIES if (found := version_of(name))},
        "policy": policy.identifier if policy else None,
        "knowledgeBase": kb.digest,
        **{key: value for key, value in asdict(settings).items() if key not in ("root", "policy", "run", "records")},
        "seals": _seals(policy, settings),
    }
    pinned = [one.to_dict() for one in ranges]
    run = hashlib.sha256(json.dumps([asked, pinned], sort_keys=True, default=list).encode()).hexdigest()
    manifest = {"run": run, **asked, "cases": sum(one.cases for one in ranges), "ranges": pinned}
    _take(folder, manifest)
    settings = replace(settings, root=str(kb.root), policy=policy.identifier if policy else None, run=run)
    return Plan(settings, inputs_pinned, folder, skipped)


def _policy(kb: Repository, settings: Settings) -> Policy | None:
    """The policy of all cases; None where several are on file and none is asked for: then each case names its own.

    Raises:
        KbError: there is no such policy or revision; or several are meant where one is needed.
    """
    named = settings.policy
    if named == ALL:
        what, hint = "a row of each case is of one policy", "leave --policy out: each case is then of the one it names"
        raise KbError(what, hint=hint)
    several = not kb.is_one(named, settings.revision)
    if not several or settings.compare:
        # Between two revisions, of one policy.
        return kb.policy_of(named, *filter(None, (settings.revision, settings.compare)))
    if settings.records:
        known = ", ".join(policy.identifier for policy in kb.policies())
        raise KbError("a run that is recorded is of one policy", hint=f"choose one with --policy: {known}")
    skip_broken(kb)
    choice_of(kb, None, settings.revision)
    return None


def _terminology(kb: Repository, ranges: Sequence[Range], files: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    """Files that say what codes mean, each with its digest.

    Raises:
        KbError: FHIR is to be read and the library for it is not installed; or one of the files cannot be used.
    """
    if any(one.form == NDJSON for one in ranges):
        library()
    if files:
        Terminology(kb, files)
    return tuple((str(path.resolve()), hashlib.sha256(read_bytes(path)).hexdigest()) for path in files)


def _take(folder: Location, manifest: dict[str, Any]) -> None:
    """Writes the manifest into the folder, or finds the same one there.

    Raises:
        KbError: something else is in the folder, or it cannot be written to.
    """
    path = folder / MANIFEST
    try:
        store.make_folder(folder)
        if store.is_file(path):
            before = _manifest(store.read(path))
            if before.get("run") != manifest["run"]:
                raise KbError(
                    f"holds a run of other {_differences(before, manifest) or 'content'}",
                    where=str(folder),
                    hint="give another folder with --to, or empty this one",
                )
        elif store.holds_something(folder):
            raise KbError("is not empty, and holds no run", where=str(folder), hint="give another folder with --to")
        else:
            store.write(path, (json.dumps(manifest, indent=2) + "\n").encode())
    except OSError as error:
        raise KbError(error.strerror or "cannot be written", where=str(folder), hint="check the folder") from error
    except (ValueError, RecursionError) as error:
        raise KbError("not the manifest of a run", where=str(path), hint="give another folder with --to") from error


def _manifest(data: bytes) -> dict[str, Any]:
    """What a manifest says.

    Raises:
        ValueError: it is none.
        RecursionError: it is none either.
    """
    found = json.loads(data)
    if not isinstance(found, dict) or not isinstance(found.get("run"), str):
        raise ValueError("no manifest")
    return found


def _differences(before: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """In what a run that is there differs from the one that is asked for, and what it has, where that is short."""
    found = []
    for key, wanted in manifest.items():
        there = before.get(key)
        if key != "run" and json.loads(json.dumps(wanted)) != there:
            found.append(key if isinstance(there, list | dict) else f"{key} ({'none' if there is None else there})")
    return ", ".join(found)


def carry_out(
    plan: Plan,
    workers: int,
    done: Callable[[int], None],
    address: str | None = None,
    goes_on: Callable[[int], None] = lambda cases: None,
) -> Summary:
    """Does what is missing of a run, counts, and sums up.

    Args:
        workers: how many processes, on this machine.
        done: told of each range how many cases it had; of ranges that were there, at once.
        address: of a Dask scheduler whose workers do it instead; they read the inputs and write the parts themselves.
        goes_on: told how many cases have their rows already, where some have.

    Raises:
        KbError: an input changed, a part cannot be written, workers end again and again, or rows are missing.
    """
    missing = plan.missing()
    kept = plan.cases - sum(one.cases for one in missing)
    if len(missing) < len(plan.ranges):
        goes_on(kept)
    done(kept)
    for one in _on_cluster(plan, missing, address) if address else _on_this_machine(plan, missing, workers):
        done(one.cases)
    plan.pinned.hold()
    kb = Repository(Path(plan.settings.root))
    summary = _summary(kb, plan)
    policy = plan.settings.policy
    of_which = [kb.policy(name) for name in ([policy] if policy else summary.policies)]
    with store.writing(plan.folder / SUMMARY):
        parts.write_words(plan.folder / WORDS, words(kb, of_which), several=not policy)
        store.write(plan.folder / SUMMARY, (json.dumps(summary.to_dict(), indent=2) + "\n").encode())
    return summary


def _on_this_machine(plan: Plan, missing: list[Range], workers: int) -> Iterator[Range]:
    """Does ranges in processes of this machine; where one is killed, the others begin again with what is missing."""
    if workers == 1:
        for one in missing:
            process(plan.settings, one, str(plan.folder))
            yield one
        return
    idle = 0
    while missing and idle < _TRIES:
        left = len(missing)
        try:
            with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin) as pool:
                waiting = {pool.submit(process, plan.settings, one, str(plan.folder)): one for one in missing}
                with _given_up_on_error(waiting):
                    for future in as_completed(waiting):
                        future.result()
                        missing.remove(waiting[future])
                        yield waiting[future]
        except BrokenProcessPool:
            idle = 0 if len(missing) < left else idle + 1
    if missing:
        raise KbError(
            f"worker processes ended {_TRIES} times without a part, at {missing[0].path} line {missing[0].line}",
            hint="is there memory enough? try fewer workers; the parts that are there are kept",
        )


def _begin() -> None:
    """Begins a worker process."""
    # Ctrl-C reaches all processes of a terminal: the first alone acts on it, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process once the one that started it is gone, however that ended."""
    parent = parent_process()
    assert parent is not None, "only a worker waits for its parent"
    parent.join()
    os._exit(1)


@contextmanager
def _given_up_on_error(waiting: dict[Future[int], Range]) -> Iterator[None]:
    """What was not begun is given up once something goes wrong; when the run itself is to end, what was begun too."""
    try:
        yield
    except BaseException as error:
        for future in waiting:
            future.cancel()
        if not isinstance(error, Exception):
            for child in active_children():
                child.terminate()
        raise


def _on_cluster(plan: Plan, missing: list[Range], address: str) -> Iterator[Range]:
    """Does ranges on the workers of a Dask scheduler."""
    try:
        import distributed
    except ImportError:
        raise KbError("--on needs Dask, which is not installed", hint="pip install 'kb-tools[cluster]'") from None
    # What goes wrong is told in one line, below.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        with distributed.Client(address, timeout=TIMEOUT) as client:
            waiting = {
                client.submit(process, plan.settings, one, str(plan.folder), pure=False, retries=_TRIES): one
                for one in missing
            }
            for future in distributed.as_completed(waiting):
                future.result()
                yield waiting[future]
    except (OSError, distributed.CancelledError, distributed.scheduler.KilledWorker) as error:
        raise KbError(
            f"the cluster went away: {type(error).__name__}",
            where=address,
            hint="run again: the parts that are there are kept",
        ) from error


# ---------------------------------------------------------------------- what it came to


def _summary(kb: Repository, plan: Plan) -> Summary:
    compared = plan.settings.compare
    names = ["outcome", "revision", "to_send", "criteria", "conditions", "reasons"]
    if compared:
        names.append("compared_outcome")
    several = plan.settings.policy is None
    if several:
        names.append("policy")
    counted: dict[str, Counter[str]] = {name: Counter() for name in names}
    flips = FlipCounter()
    for one in plan.ranges:
        part = plan.part(one)
        if part is None:
            raise KbError("is missing or not whole", where=str(part_of(plan.folder, one)), hint="run again")
        found = part.columns({*names, *(COLUMNS if compared else ())})
        if several:
            found |= _with_policies(found)
        for name, counter in counted.items():
            for value in found[name]:
                counter.update(value if isinstance(value, list) else [value] if value else [])
        if compared:
            flips.add(found)
    return Summary(
        plan.cases,
        _ordered(counted["outcome"]),
        _ordered(counted["revision"]),
        _ordered(counted["to_send"]),
        _ordered(counted["criteria"]),
        _ordered(counted["conditions"]),
        _ordered(counted["reasons"], 20),
        compared or "",
        _ordered(counted["compared_outcome"]) if compared else {},
        _ordered(flips.by_outcomes()),
        flips.groups(kb.policy(plan.settings.policy), plan.settings.engine) if compared else (),
        _ordered(counted["policy"]) if several else {},
    )


def _with_policies(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The columns whose names are those of a policy, with the policy of each row before them."""
    policies = columns["policy"]
    revisions = zip(policies, columns["revision"], strict=True)
    return {
        "revision": [f"{policy}/{name}" if name else None for policy, name in revisions],
        **{
            column: [
                [f"{policy} {code}" for code in codes] for policy, codes in zip(policies, columns[column], strict=True)
            ]
            for column in ("to_send", "criteria", "conditions")
        },
    }


def _ordered(counted: Counter[str], most: int | None = None) -> dict[str, int]:
    """The counts, the highest first; of equal ones in the order of their names."""
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most])


def _seals(policy: Policy | None, settings: Settings) -> dict[str, str | None]:
    """The digests of the seals of the revisions that are named; of several policies, none is named."""
    names = filter(None, (settings.revision, settings.compare)) if policy else ()
    return {name: _digest_of_seal(policy.folder, name) for name in names if policy}


def _digest_of_seal(folder: Path, revision: str) -> str | None:
    path = folder / revision / "seal.json"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
