"""Cases on lines, as programs send very many of them: plain JSON or a FHIR bundle on each, and one answer for each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from kb_tools.as_json import compact
from kb_tools.batch.opening import id_of
from kb_tools.batch.recorded import RowsRecorder
from kb_tools.batch.rows import Row, RowMaker, names_of, values_of
from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.fhir.reader import is_fhir
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Answer
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.history import Selection
from kb_tools.rdf.terms import local_name
from kb_tools.serve.case.desk import DOOR, Chosen, Desk, Told, told
from kb_tools.serve.case.messages import Message

# Longer lines, which may hold more parts than a case may have, are read before they are determined.
_SHORT = 16 * 1024
# How many choices of a revision have makers of rows, of those used last.
_MAKERS = 8


class LineDesk:
    """Determines lines; for rows, what was learned of the pieces of cases is kept, and serves the next."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._maker = lru_cache(_MAKERS)(self._new_maker)

    def rows(self, chosen: Chosen, numbers: Sequence[int], data: bytes) -> Message:
        """`Told`, and a compact row for each line, a JSON object a line.

        Args:
            numbers: of the lines, which stand in the data one below the other.
        """
        lines = data.split(b"\n")
        found = {
            place: self._read(number, lines[place]) for place, number in enumerate(numbers) if _is_read(lines[place])
        }
        maker, recorder = self._maker(chosen["policy"], chosen["revision"], chosen["asOf"])
        keeping = self._desk.maker is not None and self._desk.maker.keeps_cases
        if keeping:
            rows = self._recorded(maker, chosen, lines, [found.get(place) for place in range(len(lines))])
        else:
            plain = iter(maker.of_lines([line for place, line in enumerate(lines) if place not in found]))
            read = iter(maker.of_read([lines[place] for place in found], list(found.values())))
            rows = [next(read if place in found else plain) for place in range(len(lines))]
        if recorder and not keeping and any(row.revision for row in rows):
            self._desk.records.append(recorder.content(lines, rows, door=DOOR))
        account: Told = {
            "read": sum(row.outcome != "Unreadable" for row in rows),
            "outcomes": [row.outcome for row in rows],
            "revisions": sorted({row.revision for row in rows if row.revision}),
            "errors": [],
        }
        policy = self._desk.under(chosen).policy
        sights = {name: maker.sight(Selection(policy.entry(name), ())) for name in account["revisions"]}
        order = {name: [condition.iri for condition in sight.conditions] for name, sight in sights.items()}
        written = (_row(number, row, order.get(row.revision, ())) for number, row in zip(numbers, rows, strict=True))
        return Message(account, b"\n".join(written))

    def _recorded(
        self, maker: RowMaker, chosen: Chosen, lines: Sequence[bytes], found: Sequence[Case | KbError | None]
    ) -> list[Row]:
        """A row for each line, made of the whole determination, which is recorded with the case."""
        cases = [maker.read(line) if case is None else case for line, case in zip(lines, found, strict=True)]
        answered = list(self._desk.under(chosen).stream(cases))
        self._desk.record(answered, DOOR, chosen)
        plain = names_of(lines, cases, id_of)
        read = names_of(lines, cases)
        names = (one if case is None else other for one, other, case in zip(plain, read, found, strict=True))
        return [maker.of_answer(name, answer) for name, answer in zip(names, answered, strict=True)]

    def full(self, chosen: Chosen, numbers: Sequence[int], data: bytes) -> Message:
        """`Told`, and the full answer for each line, a JSON object a line."""
        found = (self._read(number, line) for number, line in zip(numbers, data.split(b"\n"), strict=True))
        answered = list(self._desk.under(chosen).stream(found))
        self._desk.record(answered, DOOR, chosen)
        lines = (_full(number, answer) for number, answer in zip(numbers, answered, strict=True))
        return Message({**told(answered), "errors": []}, b"\n".join(lines))

    def _read(self, number: int, line: bytes) -> Case | KbError:
        source = f"line {number}"
        found = self._desk.found(line, "json", source)
        return found[0] if len(found) == 1 else UnreadableInput("no case", where=source, hint="write one on each line")

    def _new_maker(
        self, policy: str | None, revision: str | None, as_of: str | None
    ) -> tuple[RowMaker, RowsRecorder | None]:
        """What makes rows under the revision that is chosen, and what makes their records, if any are made."""
        run, desk = self._desk.under({"policy": policy, "revision": revision, "asOf": as_of}), self._desk
        maker = RowMaker(run)
        if desk.maker is None:
            return maker, None
        day = date.fromisoformat(as_of) if as_of else None
        return maker, RowsRecorder(desk.kb, run.policy, desk.maker.folder, desk.engine, revision, day, maker)


def _is_read(line: bytes) -> bool:
    """Whether a line is read before it is determined: it is one of FHIR, or long."""
    return len(line) > _SHORT or is_fhir(line)


def _row(number: int, row: Row, conditions: Sequence[str]) -> bytes:
    """A row as the columns of kb run name it."""
    values = [values_of(code) for code in row.values]
    doubted = [iri for iri, (value, perhaps) in zip(conditions, values, strict=False) if value != perhaps]
    return compact(
        {
            "line": number,
            "case": row.case,
            "revision": row.revision or None,
            "outcome": row.outcome,
            "criteria": row.criteria,
            "conditions": row.conditions,
            "to_send": [local_name(iri) for iri in row.to_send],
            "in_doubt": [local_name(iri) for iri in doubted],
            "advisories": [local_name(iri) for iri in row.advisories],
            "notices": row.notices,
            "reasons": row.reasons,
        }
    )


def _full(number: int, answer: Answer | KbError) -> bytes:
    """An answer under the name that says which kind it is, as kb validate --format json lists it."""
    if isinstance(answer, KbError):
        return compact({"line": number, "errors": answer.lines()})
    kind = "notDetermined"
    if isinstance(answer, Determination):
        kind = "determination"
    elif isinstance(answer, Malformed):
        kind = "malformed"
    return compact({"line": number, kind: answer.to_dict()})
