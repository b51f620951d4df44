"""Cases that stand in a column of a Parquet file: JSON texts, a case a row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import IO, Any

from kb_tools.batch.parts import arrow
from kb_tools.errors import UnreadableInput

# The column that is taken where several hold texts.
USUAL = "case"
# Bytes of texts in one row group: that much is held in memory at a time.
MAX_GROUP = 512 * 2**20


class Column:
    """The column of an open Parquet file that holds cases."""

    def __init__(self, file: IO[bytes], name: str, where: str) -> None:
        """Finds the column.

        Args:
            name: of the column; "" for the only one with texts, or that of the usual name.
            where: what errors name.

        Raises:
            UnreadableInput: the file is not whole, or it is not clear which column is meant.
        """
        pa = arrow()
        self._where = where
        try:
            self._file = pa.parquet.ParquetFile(file)
        except pa.ArrowException as error:
            raise self._broken() from error
        schema = self._file.schema_arrow
        texts = [field.name for field in schema if _is_text(field.type)]
        if name and name not in texts:
            what = f"column {name} holds no texts" if name in schema.names else f"no column {name}"
            raise UnreadableInput(what, where=where, hint=f"columns with texts: {', '.join(texts) or 'none'}")
        if not name and len({*texts}) != 1 and USUAL not in texts:
            what, hint = "no column holds texts", "write each case into it as a JSON text"
            if texts:
                what, hint = "several columns hold texts", f"name one with --column: {', '.join(texts)}"
            raise UnreadableInput(what, where=where, hint=hint)
        self.name = name or (USUAL if USUAL in texts else texts[0])
        if schema.names.count(self.name) > 1:
            raise UnreadableInput(f"several columns of the name {self.name}", where=where, hint="rename all but one")

    @property
    def groups(self) -> list[int]:
        """How many rows each row group has."""
        metadata = self._file.metadata
        return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]

    def texts(self, group: int) -> list[bytes | None]:
        """The texts of a row group; None for a row without one.

        Raises:
            UnreadableInput: it cannot be read, or is too large.
        """
        pa = arrow()
        try:
            found = self._file.read_row_group(group, columns=[self.name]).column(0)
            if found.nbytes > MAX_GROUP:
                raise UnreadableInput(
                    f"row group {group} has {found.nbytes // 2**20} MiB of texts, and may have {MAX_GROUP // 2**20}",
                    where=self._where,
                    hint="write row groups of some 10,000 cases",
                )
            return list(found.cast(pa.large_binary()).to_pylist())
        except (pa.ArrowException, IndexError) as error:
            raise self._broken() from error

    def _broken(self) -> UnreadableInput:
        return UnreadableInput("not a whole Parquet file", where=self._where, hint="write it again")


def digest_of(texts: Sequence[bytes | None]) -> str:
    """The SHA-256 of texts, each with its length, so that none can pass for two."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(b"-" if text is None else b"%d:" % len(text) + text)
    return digest.hexdigest()


def _is_text(type_: Any) -> bool:
    types = arrow().types
    if types.is_dictionary(type_):
        type_ = type_.value_type
    known = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    return any(getattr(types, f"is_{name}")(type_) for name in known)
