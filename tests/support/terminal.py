"""What a program writes on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def on_terminal(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
    """What a command, which must come to a good end, writes on a terminal, controls included."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as running:
        os.close(theirs)
        written = b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            written += read
    os.close(ours)
    assert running.returncode == 0
    return written.decode()
