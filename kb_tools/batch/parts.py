"""The rows of one range as a Parquet file: written whole or not at all, known by what it is of, held to a digest."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kb_tools.batch import store
from kb_tools.batch.flips import Codes
from kb_tools.batch.rows import Row
from kb_tools.batch.sight import VALUES
from kb_tools.batch.store import Location
from kb_tools.errors import KbError
from kb_tools.rdf.namespaces import BASE
from kb_tools.rdf.terms import local_name

if TYPE_CHECKING:
    import pyarrow

# Where a part keeps which run and which range it is of, the digest of the answers beside it, and its own. This stands
# behind all that cases say in the file, so that nothing of theirs can pass for it.
_OF = b"kb.part"
_ZEROS = b"0" * 64
_DIGESTS = re.compile(rb"(-|[0-9a-f]{64}) ([0-9a-f]{64})")


def arrow() -> Any:
    """pyarrow, with what reads and writes Parquet.

    Raises:
        KbError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise KbError("kb run needs pyarrow, which is not installed", hint="pip install 'kb-tools[batch]'") from None
    return pyarrow


@dataclass(frozen=True)
class Columns:
    """The columns of a part.

    Attributes:
        conditions: the IRIs of all conditions of the policy or policies, each a column of its own.
        order: of a row, the conditions in the order in which it has their values.
        compared: whether rows say what the case comes to under a second revision.
        several: whether rows are of several policies, and name theirs.
    """

    conditions: tuple[str, ...]
    order: Callable[[Row], tuple[str, ...]]
    compared: bool
    several: bool = False

    def table(
        self, numbered: Sequence[tuple[str, int, Row, Row | None]], causes: Sequence[Codes] = ()
    ) -> pyarrow.Table:
        """The rows of a range, each with its file, its line and, where compared, the row under the other revision.

        Args:
            causes: where compared, what flipped each case.
        """
        pa = arrow()
        rows = [row for _, _, row, _ in numbered]
        columns: dict[str, Any] = {
            "file": pa.array([file for file, _, _, _ in numbered], pa.string()).dictionary_encode(),
            "line": pa.array([line for _, line, _, _ in numbered], pa.int64()),
            "case": pa.array([row.case for row in rows], pa.string()),
        }
        if self.several:
            columns["policy"] = pa.array([row.policy or None for row in rows], pa.string()).dictionary_encode()
        columns |= self._of_rows(rows, "")
        if self.compared:
            others = [other for _, _, _, other in numbered if other is not None]
            columns |= self._of_rows(others, "compared_")
            flips = [one.outcome != other.outcome for one, other in zip(rows, others, strict=True)]
            columns["flips"] = pa.array(flips, pa.bool_())
            listed = pa.list_(pa.string())
            columns["flip_criteria"] = pa.array([cause.criteria for cause in causes], listed)
            columns["flip_conditions"] = pa.array([cause.conditions for cause in causes], listed)
        orders = {(row.policy, row.revision): self.order(row) for row in rows}
        for number, condition in enumerate(self.conditions):
            places = {under: order.index(condition) for under, order in orders.items() if condition in order}
            at = [places.get((row.policy, row.revision)) for row in rows]
            values = [
                row.values[place] >> 2 if row.values and place is not None else None
                for row, place in zip(rows, at, strict=True)
            ]
            columns[self.names[number]] = pa.DictionaryArray.from_arrays(
                pa.array(values, pa.int8()), pa.array([value.value for value in VALUES])
            )
        return pa.table(columns)

    @property
    def names(self) -> list[str]:
        """The names of the columns of conditions: their own, or of two alike that of the policy too."""
        names = [local_name(condition) for condition in self.conditions]
        counted = Counter(names)
        return [
            name if counted[name] == 1 else condition.removeprefix(BASE)
            for name, condition in zip(names, self.conditions, strict=True)
        ]

    def _of_rows(self, rows: Sequence[Row], prefix: str) -> dict[str, Any]:
        pa = arrow()
        listed = pa.list_(pa.string())

        def names(lists: Sequence[tuple[str, ...]]) -> Any:
            of = {found: [local_name(one) for one in found] for found in set(lists)}
            return pa.array([of[found] for found in lists], listed)

        return {
            f"{prefix}revision": pa.array([row.revision or None for row in rows], pa.string()).dictionary_encode(),
            f"{prefix}outcome": pa.array([row.outcome for row in rows], pa.string()).dictionary_encode(),
            f"{prefix}criteria": pa.array([row.criteria for row in rows], listed),
            f"{prefix}conditions": pa.array([row.conditions for row in rows], listed),
            f"{prefix}to_send": names([row.to_send for row in rows]),
            f"{prefix}in_doubt": names([self._in_doubt(row) for row in rows]),
            f"{prefix}advisories": names([row.advisories for row in rows]),
            f"{prefix}notices": pa.array([row.notices for row in rows], listed),
            f"{prefix}reasons": pa.array([row.reasons for row in rows], listed),
        }

    def _in_doubt(self, row: Row) -> tuple[str, ...]:
        """The conditions that a doubt keeps unknown."""
        order = self.order(row)
        return tuple(condition for condition, code in zip(order, row.values, strict=False) if code >> 2 != code & 3)


def write(place: Location, table: pyarrow.Table, of: str, answers: bytes | None = None) -> None:
    """Writes a part, with a digest of it in it: one file, or one object, that is put whole.

    Args:
        of: which run and which range it is of.
        answers: what was written beside it, if anything was.

    Raises:
        OSError: it cannot be written; then there is none.
    """
    pa = arrow()
    file = io.BytesIO()
    beside = "-" if answers is None else hashlib.sha256(answers).hexdigest()
    told = f"{of} {beside} ".encode()
    named = table.replace_schema_metadata({_OF: told + _ZEROS})
    pa.parquet.write_table(named, file, compression="zstd", store_schema=True)
    data = file.getvalue()
    own = data.rindex(told + _ZEROS) + len(told)
    store.write(place, data[:own] + _digest(data, own).encode() + data[own + len(_ZEROS) :])


def write_words(place: Location, words: Iterable[tuple[str, str, str, str, str]], several: bool = False) -> None:
    """Writes the words for the codes: kind, code, revision and text; the revision is none where it is the same for all.

    Args:
        words: each with its policy, "" where it is the same for all.
        several: whether rows are of several policies: then the words name theirs too.
    """
    pa = arrow()
    kinds, codes, revisions, texts, policies = zip(*words, strict=True)
    columns = {"kind": kinds, "code": codes, "revision": [name or None for name in revisions], "text": texts}
    if several:
        columns["policy"] = [name or None for name in policies]
    table = pa.table(columns)
    data = io.BytesIO()
    pa.parquet.write_table(table, data, compression="zstd")
    store.write(place, data.getvalue())


@dataclass(frozen=True)
class Part:
    """A part that is there, with the bytes it was written with.

    Attributes:
        answers: the digest of the answers that were written with it; "" for none.
    """

    data: bytes
    answers: str

    def columns(self, names: Iterable[str]) -> dict[str, list[Any]]:
        """The values of columns."""
        pa = arrow()
        return dict(pa.parquet.read_table(io.BytesIO(self.data), columns=sorted(names)).to_pydict())


def find(place: Location, of: str, rows: int) -> Part | None:
    """The complete part of a range; None where there is none, or a byte of it is not as it was written."""
    pa = arrow()
    try:
        data = store.read(place)
        at = data.rfind(f"{of} ".encode())
        found = _DIGESTS.match(data, at + len(of) + 1) if at >= 0 else None
        if found is None or _digest(data, found.start(2)) != found[2].decode():
            return None
        if pa.parquet.read_metadata(io.BytesIO(data)).num_rows != rows:
            return None
    except (OSError, ValueError, pa.ArrowException):
        return None
    return Part(data, found[1].decode().strip("-"))


def _digest(data: bytes, place: int) -> str:
    """The SHA-256 of a part in which zeros stand in the place of the digest itself."""
    digest = hashlib.sha256(memoryview(data)[:place])
    digest.update(_ZEROS)
    digest.update(memoryview(data)[place + len(_ZEROS) :])
    return digest.hexdigest()
