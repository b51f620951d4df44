"""The folder of records: the chain, and beside it what records refer to, in files that are named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path

from kb_tools.errors import KbError, Unrecorded
from kb_tools.records.chain import begin, sync_folder
from kb_tools.writing import TEMPORARY

CHAIN, STATES, CASES = "records.jsonl", "states", "cases"
# Cases that are kept are data about the health of people: for the owner of the folder alone.
# Bytes that are written to see whether there is room.
_PROBE = 64 * 1024
_MODES = {STATES: (0o777, 0o644), CASES: (0o700, 0o600)}


class Altered(KbError):
    """A file beside the chain that is not as it was written."""


class RecordFolder:
    """A folder of records.

    Attributes:
        chain: the file of the records.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chain = path / CHAIN

    def begin(self) -> None:
        """Make the folder, unless it is there, and see that it can be written to.

        Raises:
            KbError: it cannot, or it holds something else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in self.path.iterdir()}
        except OSError as error:
            raise self._unwritten(error, self.path) from error
        if names and CHAIN not in names:
            raise KbError("is not empty, and holds no records", where=str(self.path), hint="give another folder")
        begin(self.chain)

    def must_exist(self) -> None:
        """Hold the folder to be one of records.

        Raises:
            KbError: it is none, or cannot be looked at.
        """
        try:
            self.chain.lstat()
        except OSError as error:
            is_there = self.path.is_dir() and isinstance(error, FileNotFoundError)
            what = f"holds no records: {CHAIN} is not there" if is_there else error.strerror or "cannot be read"
            hint = "give the folder that was named with --record"
            raise KbError(what, where=str(self.path), hint=hint) from error

    def put(self, kind: str, content: bytes) -> str:
        """Keep a file, unless it is there.

        Args:
            kind: STATES or CASES.

        Returns:
            its SHA-256, by which it is named.

        Raises:
            Unrecorded: it cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        target = self._file(kind, digest)
        folder_mode, mode = _MODES[kind]
        try:
            with suppress(FileNotFoundError):
                if target.read_bytes() == content:
                    return digest
            target.parent.mkdir(mode=folder_mode, exist_ok=True)
            # A temporary file is readable by its owner alone; it gets its mode once it is complete.
            with tempfile.NamedTemporaryFile(prefix=TEMPORARY, dir=target.parent, delete=False) as temporary:
                written = Path(temporary.name)
                try:
                    temporary.write(content)
                    temporary.flush()
                    os.fsync(temporary.fileno())
                    temporary.close()
                    written.chmod(mode)
                    written.replace(target)
                finally:
                    written.unlink(missing_ok=True)
            sync_folder(target.parent)
        except OSError as error:
            raise self._unwritten(error, target) from error
        return digest

    def has(self, kind: str, digest: str) -> bool:
        """Whether a file is there."""
        return self._file(kind, digest).exists()

    def probe(self) -> None:
        """See that a file can be written here, as large as a record, and that the chain can be.

        Raises:
            Unrecorded: it cannot.
        """
        try:
            os.close(os.open(self.chain, os.O_RDWR | os.O_APPEND))
            file, name = tempfile.mkstemp(prefix=TEMPORARY, dir=self.path)
            try:
                if os.write(file, bytes(_PROBE)) < _PROBE:
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
                os.fsync(file)
            finally:
                os.close(file)
                Path(name).unlink()
        except OSError as error:
            raise self._unwritten(error, self.path) from error

    def get(self, kind: str, digest: str) -> bytes | None:
        """The content of a file; None where it is not there.

        Raises:
            Altered: it is not as it was written.
            KbError: it cannot be read.
        """
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise Altered(f"{digest[:80]!a} is no SHA-256", where=str(self.path), hint="restore the record from a copy")
        path = self._file(kind, digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KbError(error.strerror or "cannot be read", where=str(path), hint="check its permissions") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise Altered("was altered: its name is not its digest", where=str(path), hint="restore it from a copy")
        return content

    def _file(self, kind: str, digest: str) -> Path:
        return self.path / kind / f"{digest}.json"

    @staticmethod
    def _unwritten(error: OSError, path: Path) -> KbError:
        return Unrecorded(
            f"the record cannot be written: {error.strerror or error}",
            where=str(path),
            hint="check the folder, its permissions and the room on its disk; nothing was recorded",
        )
