"""What a memory of bounded size forgets, and what it keeps."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kb_tools.memory import Memory


def filled(room: int, count: int) -> Memory[int, str]:
    memory: Memory[int, str] = Memory(room)
    for number in range(count):
        memory.put(number, str(number))
    return memory


def test_what_was_put_is_given_back() -> None:
    memory: Memory[str, int] = Memory(2)
    assert memory.put("a", 0) == 0
    assert (memory.get("a"), memory.get("b"), len(memory)) == (0, None, 1)


def test_the_older_generation_is_forgotten_when_the_newer_is_full() -> None:
    memory = filled(3, 7)
    assert [number for number in range(7) if number in memory.newer] == [6]
    assert [number for number in range(7) if number in memory.older] == [3, 4, 5]
    assert memory.get(2) is None


def test_what_is_asked_for_in_time_is_never_forgotten() -> None:
    memory = filled(3, 3)
    for number in range(3, 100):
        assert memory.get(0) == "0"
        memory.put(number, str(number))
    assert memory.get(1) is None


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 12))))
def test_it_holds_few_and_gives_nothing_but_what_was_put(room: int, steps: list[tuple[bool, int]]) -> None:
    memory: Memory[int, str] = Memory(room)
    for put, number in steps:
        if put:
            memory.put(number, str(number))
            assert memory.get(number) == str(number)
        else:
            assert memory.get(number) in (None, str(number))
        assert len(memory) <= 2 * room
