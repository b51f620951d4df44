"""Readers of standard output and standard error who leave early: `kb show | head -1`.

That is no error: what they do not read is let go, and the command ends with the exit code of its answer. What is never
done by itself, like determining cases as they come, stops (`wanted`).
"""

from __future__ import annotations

import io
import sys
from typing import TextIO

# The exit code of a command that stops because nobody reads on: that of a program that SIGPIPE ends.
LEFT = 141


class _Pipe(io.FileIO):
    """A stream of the process; what is written after its reader has left goes nowhere."""

    left = False

    def write(self, data: object) -> int:
        """Writes to the stream, and says of all of it that it is written where nobody reads."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            self.left = True
            return memoryview(data).nbytes  # type: ignore[arg-type]


def let_leave() -> None:
    """Lets the readers of standard output and standard error leave from here on."""
    sys.stdout, sys.stderr = _without_error(sys.stdout), _without_error(sys.stderr)


def _without_error(stream: TextIO) -> TextIO:
    """The stream as one that lets its reader leave; a terminal, and what is no stream of the process, as it is."""
    if type(stream) is not io.TextIOWrapper or stream.isatty() or not _is_of_a_file(stream):
        return stream
    stream.flush()
    pipe = _Pipe(stream.fileno(), "w", closefd=False)
    # Unbuffered streams (PYTHONUNBUFFERED) stay so.
    buffer = io.BufferedWriter(pipe) if isinstance(stream.buffer, io.BufferedWriter) else pipe
    return io.TextIOWrapper(
        buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _is_of_a_file(stream: io.TextIOWrapper) -> bool:
    return isinstance(stream.buffer, io.FileIO) or isinstance(getattr(stream.buffer, "raw", None), io.FileIO)


def wanted() -> bool:
    """Whether what is written to standard output can still be read; known once something could not be."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return not (isinstance(raw, _Pipe) and raw.left)
