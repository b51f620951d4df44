"""A lock on an open file, held against every other process and every other opening of the file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform == "win32":
    import msvcrt

    # A byte far behind all that is written: what is locked there cannot be read by others.
    _FAR = 2**40

    @contextmanager
    def locked(file: int, shared: bool = False) -> Iterator[None]:
        """Wait for the lock, and hold it."""
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(file, _FAR, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    @contextmanager
    def locked(file: int, shared: bool = False) -> Iterator[None]:
        """Wait for the lock, and hold it; a shared one with others that only read."""
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
