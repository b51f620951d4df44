"""How many heaps a process has, whose threads each ask for memory: as many as threads, or few."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

THREADS = 6
PROGRAM = """
import ctypes, sys, threading
from kb_tools.serve.heap import keep_little
if sys.argv[1:]:
    assert keep_little()
together = threading.Barrier(%d)
def take():
    held = [bytes(100_000) for _ in range(10)]
    together.wait()
threads = [threading.Thread(target=take) for _ in range(together.parties)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
out = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, out)
libc.fclose(out)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps of threads are glibc's")
@pytest.mark.parametrize(("few", "heaps"), [(True, 2), (False, 1 + THREADS)])
def test_threads_share_few_heaps(few: bool, heaps: int) -> None:
    program = PROGRAM % THREADS
    done = subprocess.run([sys.executable, "-c", program, *["few"] * few], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == heaps
