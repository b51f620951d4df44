"""Records what the doors of programs determine, before it is answered: one writer, for all that waits at once.

The processes that determine make the contents of records, and the files that these refer to (`records.recorder`). The
chain is written here: all determinations that are ready go into it with one write, and share one wait for the disk.
Other servers and commands may write the same chain meanwhile: each write takes the lock of its file.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from kb_tools.errors import KbError, Unrecorded
from kb_tools.records.chain import append, last
from kb_tools.records.folder import RecordFolder

Content: TypeAlias = Mapping[str, Any]
# The longest that what was found of the folder is relied on where nobody records, in seconds.
_KNOWN = 1.0


class Recording:
    """The folder into which a server records.

    Args:
        folder: it is made, unless it is there.
        keep_cases: whether each case is kept as it was read. The folder then holds data about the health of people.

    Attributes:
        made: how many determinations were recorded.
        head: the last record; before there is one, the last record that was there at the start.

    Raises:
        KbError: it cannot be written to, or holds something else.
    """

    def __init__(self, folder: Path, keep_cases: bool = False) -> None:
        self.folder = RecordFolder(folder.resolve())
        self.keep_cases = keep_cases
        self.folder.begin()
        self.made = 0
        self.head = last(self.folder.chain)
        self._waiting: deque[tuple[Sequence[Content], Future[None]]] = deque()
        self._thread = ThreadPoolExecutor(1, "records")
        self._trouble: KbError | None = None
        self._looked = 0.0
        self._looking = Lock()

    def record(self, contents: Sequence[Content]) -> None:
        """Record determinations, and wait until their records are on the disk.

        Raises:
            Unrecorded: that is not possible; then none of them is recorded.
        """
        if not contents:
            return
        done: Future[None] = Future()
        self._waiting.append((contents, done))
        self._thread.submit(self._write)
        done.result()

    def _write(self) -> None:
        """Writes all that waits."""
        together = []
        while self._waiting:
            together.append(self._waiting.popleft())
        if not together:
            return
        try:
            heads = append(self.folder.chain, [one for contents, _ in together for one in contents], self.head)
        except Exception as error:
            self._trouble = error if isinstance(error, KbError) else Unrecorded(f"unexpected {type(error).__name__}")
            for _, done in together:
                done.set_exception(refused(self._trouble))
            return
        self._trouble = None
        self._looked = time.monotonic()
        self.made += sum(content.get("determined", 1) for contents, _ in together for content in contents)
        self.head = heads[-1]
        for _, done in together:
            done.set_result(None)

    def failed(self, error: KbError) -> None:
        """Take note that something beside the chain could not be written."""
        self._trouble = error

    def trouble(self) -> KbError | None:
        """Why nothing can be recorded now; None where it can be. It is tried at most once a second."""
        with self._looking:
            if self._trouble is not None or time.monotonic() > self._looked + _KNOWN:
                try:
                    self.folder.probe()
                    self._trouble = None
                except KbError as error:
                    self._trouble = error
                self._looked = time.monotonic()
            return None if self._trouble is None else refused(self._trouble)

    def close(self) -> None:
        """End, once all that waits is written."""
        self._thread.shutdown()


def refused(error: KbError) -> Unrecorded:
    """What a client is told where nothing can be recorded: not where the records lie."""
    return Unrecorded(error.what, hint="no determination is given without its record; ask again later")
