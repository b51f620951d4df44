"""What a worker process is asked, and what it answers: JSON values on a line, then bytes where there are some."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any


@dataclass(frozen=True)
class Message:
    """What goes through a pipe.

    Attributes:
        content: JSON values.
        body: bytes that go as they are; None for none.
        records: what is to be recorded before the answer is given.
    """

    content: Any
    body: bytes | None = None
    records: Sequence[Mapping[str, Any]] = ()


def send(file: IO[bytes], message: Message) -> None:
    """Write a message.

    Raises:
        OSError: nobody reads.
    """
    length = None if message.body is None else len(message.body)
    file.write(json.dumps([message.content, length, message.records]).encode() + b"\n" + (message.body or b""))
    file.flush()


def receive(file: IO[bytes]) -> Message | None:
    """Read a message; None where the file ends before it does."""
    line = file.readline()
    if not line.endswith(b"\n"):
        return None
    content, length, records = json.loads(line)
    if length is None:
        return Message(content, None, records)
    body = file.read(length)
    return Message(content, body, records) if len(body) == length else None
