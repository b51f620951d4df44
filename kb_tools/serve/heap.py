"""Memory that is freed goes back to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

# Of malloc.h of glibc: how many heaps there are, and from which size on a block is one of its own.
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
_ARENAS, _LARGE = 2, 256 * 1024


def keep_little() -> bool:
    """From here on this process keeps little of what it frees, where its C library is glibc.

    Otherwise each of many threads gets a heap of its own, which stays as large as the largest answer that was ever
    written in it: a server would grow for as long as large answers come.

    Returns:
        whether that is so.
    """
    if not sys.platform.startswith("linux"):
        return False
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_ARENA_MAX, _ARENAS) and mallopt(_MMAP_THRESHOLD, _LARGE))
    return False
