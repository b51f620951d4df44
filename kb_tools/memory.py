"""A dictionary of bounded size that forgets what has not been asked for of late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """Remembers in two generations: when the newer is full, the older is forgotten, and the newer becomes the older.

    What is asked for is carried over into the newer one. To forget costs time, and never changes an answer.

    Args:
        room: the most entries of one generation; at most twice as many are held.
    """

    __slots__ = ("newer", "older", "room")

    def __init__(self, room: int) -> None:
        self.room = room
        self.newer: dict[K, V] = {}
        self.older: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """What is remembered of a key, or None."""
        value = self.newer.get(key)
        if value is None:
            value = self.older.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> V:
        """Remembers a value, and returns it."""
        if len(self.newer) >= self.room:
            self.older, self.newer = self.newer, {}
        self.newer[key] = value
        return value

    def clear(self) -> None:
        """Forgets all."""
        self.newer, self.older = {}, {}

    def items(self) -> Iterator[tuple[K, V]]:
        """All that is remembered, what was asked for last at the end."""
        yield from ((key, value) for key, value in self.older.items() if key not in self.newer)
        yield from self.newer.items()

    def __len__(self) -> int:
        return len(self.newer) + len(self.older)
