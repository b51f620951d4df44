"""What a process gives up before it runs what it was given; each as far as the system knows a way."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from contextlib import suppress
from typing import Any

# Address space of a process with limited memory, in bytes.
MAX_MEMORY = 4 * 1024**3

# By machine: its name in the Linux audit interface, and its numbers of the calls socket and io_uring_setup.
_CALLS = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}
# Of linux/bpf_common.h and linux/seccomp.h: load a word, jump if equal, jump if not less, return.
_LOAD, _EQUAL, _NOT_LESS, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 1
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_SET_DEATH_SIGNAL = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def connect_nowhere() -> bool:
    """From here on this thread and those that it starts open no socket, on Linux.

    Returns:
        whether that is so.
    """
    if not sys.platform.startswith("linux") or platform.machine() not in _CALLS:
        return False
    machine, socket, ring = _CALLS[platform.machine()]
    # In struct seccomp_data the number of the call comes first, the machine four bytes on. A jump skips so many.
    instructions = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 5, machine),
        (_LOAD, 0, 0, 0),
        # Another way to number the calls, on x86-64.
        (_NOT_LESS, 3, 0, 0x40000000),
        (_EQUAL, 2, 0, socket),
        (_EQUAL, 1, 0, ring),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    program = _Program(len(instructions), code)
    prctl = _prctl()
    address = ctypes.addressof(program)
    prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(prctl(_SET_SECCOMP, _FILTER, address, 0, 0) == 0)


def _prctl() -> Any:
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    return prctl


def end_with_parent(parent: int) -> None:
    """From here on this process ends when the one that made it does, on Linux; at once if it has already."""
    if sys.platform.startswith("linux"):
        _prctl()(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)


def open_no_file() -> None:
    """From here on this process opens no file and no socket, on Unix: it gets no further descriptor."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def limit_memory() -> None:
    """From here on this process has no more than MAX_MEMORY, and what it holds is not written out if it breaks."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Refused where the system knows no such limit, or where a lower one is set.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def end_after(seconds: float) -> None:
    """Lets the system end this process after so many seconds (0 for never), on Unix; and at once at Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
