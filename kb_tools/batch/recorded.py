"""Records of many cases: one record for the rows of a range or a chunk, with the digest of each case's line.

Cases that came to the same stand in one group: the answer once, and of each case the SHA-256 of its line and the values
of the conditions. So a record of ten thousand cases has some hundred bytes for each, and takes little time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from kb_tools.batch.rows import MALFORMED, NOT_DETERMINED, UNREADABLE, Row, RowMaker
from kb_tools.batch.sight import VALUES, Sight
from kb_tools.model.history import Selection
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.records import state
from kb_tools.records.answer import NOTICES, said_of
from kb_tools.records.chain import FORMAT_OF_MANY
from kb_tools.records.folder import STATES, RecordFolder
from kb_tools.records.recorder import BY_DAY, BY_SERVICE_DATE, NAMED

_NONE = (MALFORMED, UNREADABLE, NOT_DETERMINED)


class RowsRecorder:
    """Makes the contents of records of many cases, and writes what they refer to.

    Args:
        engine: the SHACL engine that was asked.
        revision, as_of: how the revision of all cases was chosen.
        maker: makes the rows.
    """

    values = tuple(value.value for value in VALUES)

    def __init__(
        self,
        kb: Repository,
        policy: Policy,
        folder: RecordFolder,
        engine: str,
        revision: str | None,
        as_of: date | None,
        maker: RowMaker,
    ) -> None:
        self._kb = kb
        self._policy = policy
        self._folder = folder
        self._engine = engine
        self._maker = maker
        self._chosen = {"chosen": NAMED if revision else BY_DAY if as_of else BY_SERVICE_DATE}
        if as_of and not revision:
            self._chosen["asOf"] = as_of.isoformat()
        self._states: dict[str, str] = {}

    def content(self, lines: Sequence[bytes], rows: Sequence[Row], **more: Any) -> dict[str, Any]:
        """What one record holds of rows.

        Args:
            lines: as they were given, one for each row.
            more: what else the record says, as JSON values.

        Raises:
            Unrecorded: what it refers to cannot be written.
        """
        groups: dict[tuple[str, str], list[str]] = {}
        answers: dict[tuple[Any, ...], str] = {}
        for line, row in zip(lines, rows, strict=True):
            if row.outcome in _NONE:
                continue
            key = (row.revision, row.values, row.notices)
            if key not in answers:
                answers[key] = json.dumps(self.answer(*key))
            groups.setdefault((row.revision, answers[key]), []).append(case_of(line, row.values))
        revisions = sorted({revision for revision, _ in groups})
        return {
            "format": FORMAT_OF_MANY,
            "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "policy": self._policy.identifier,
            **self._chosen,
            "engine": self._engine,
            **more,
            "determined": sum(map(len, groups.values())),
            "of": len(rows),
            "values": list(self.values),
            "conditions": {name: self.conditions(name) for name in revisions},
            "groups": [
                {"revision": revision, "state": self._state(revision), "answer": json.loads(said), "cases": cases}
                for (revision, said), cases in groups.items()
            ],
        }

    def conditions(self, revision: str) -> list[str]:
        """The conditions of a revision in the order in which their values stand, by their IRIs."""
        return [condition.iri for condition in self._sight(revision).conditions]

    def answer(self, revision: str, vector: bytes, notices: Sequence[str]) -> dict[str, Any]:
        """What a record holds of the answer that a row stands for, but for the values of conditions.

        Args:
            notices: those of the row.
        """
        sight = self._sight(revision)
        conditions = sight.read(vector)
        values = {iri: value for iri, (value, _) in conditions.items()}
        found = sight.concluder.conclude(values)
        of_all = {
            "in-force": self._chosen["chosen"] != NAMED,
            "revision": bool(sight.revision.notices),
        }
        said = said_of(
            sight.revision,
            found.outcome,
            found.criteria,
            conditions,
            sight.concluder.needs(values),
            sight.conclusion(vector).advisories,
            [kind for kind in NOTICES if of_all.get(kind, kind in notices)],
        )
        # These stand beside each case.
        del said["conditionValues"]
        return said

    def _sight(self, revision: str) -> Sight:
        return self._maker.sight(Selection(self._policy.entry(revision), ()))

    def _state(self, revision: str) -> str:
        known = self._states.get(revision)
        if known is None or not self._folder.has(STATES, known):
            now = state.encoded(state.state_of(self._kb, self._sight(revision).revision, self._engine))
            self._states[revision] = self._folder.put(STATES, now)
        return self._states[revision]


def case_of(line: bytes, vector: bytes) -> str:
    """A case as a record of many holds it: the SHA-256 of its line, and a hexadecimal digit for each condition.

    The digit is four times the place of the value among "values" of the record, and the place of the value that the
    condition perhaps has.
    """
    return f"{hashlib.sha256(line).hexdigest()} {vector.hex()[1::2]}"


def same_groups(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two records of many cases say the same of them."""
    return _groups(one) == _groups(other)


def _groups(content: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [(group["revision"], group["answer"], group["cases"]) for group in content["groups"]]
