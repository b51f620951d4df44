"""The chain of records: what is taken from it, put into it or changed is found, and no half record looks whole."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kb_tools import __version__
from kb_tools.errors import ArgumentError, KbError
from kb_tools.records.chain import FORMAT, START, Broken, Head, Record, append, read

ROOT = Path(__file__).parents[2]
# Four records are enough to have a first, a last, and two in the middle.
CONTENTS: list[dict[str, Any]] = [{"made": f"2026-07-0{number}", "what": "é\n"} for number in range(1, 5)]


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    append(path, CONTENTS)
    return path


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def broken(path: Path, expected: Head | None = None) -> list[str]:
    return [str(found) for found in read(path, expected) if isinstance(found, Broken)]


def records(path: Path) -> list[Record]:
    return [found for found in read(path) if isinstance(found, Record)]


def in_a_process(code: str, *arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, **more)


# ---------------------------------------------------------------------- what is written


def test_a_record_is_a_line_of_json_with_its_number_and_the_digest_of_the_one_before_it(chain: Path) -> None:
    before = START
    for number, (line, content) in enumerate(zip(lines(chain), CONTENTS, strict=True), 1):
        said = json.loads(line)
        digest = said.pop("digest")
        head = {"format": FORMAT, "tool": f"kb {__version__}", "number": number, "previous": before}
        assert said == head | content
        # As anyone can compute it: of the line without its first entry and its end.
        assert hashlib.sha256(b"{" + line[len(digest) + 13 : -1]).hexdigest() == digest
        before = digest


def test_records_are_read_as_they_were_written(chain: Path) -> None:
    found = records(chain)
    assert broken(chain) == []
    assert [record.line for record in found] == [record.head.number for record in found] == [1, 2, 3, 4]
    assert [{key: record.content[key] for key in ("made", "what")} for record in found] == CONTENTS


def test_what_is_appended_later_follows(chain: Path) -> None:
    (head,) = append(chain, [{"made": "later"}])
    assert head.number == 5
    assert [record.head for record in records(chain)][-1] == head
    assert broken(chain, head) == []


def test_nothing_to_record_writes_nothing(tmp_path: Path) -> None:
    assert append(tmp_path / "records.jsonl", []) == []
    assert list(tmp_path.iterdir()) == []


def test_a_head_is_read_as_it_is_printed() -> None:
    head = Head(12, "0f" * 32)
    assert Head.parse(str(head)) == head
    for wrong in ("12", "12/0f", "x/" + "0f" * 32, "-1/" + "0f" * 32, "12/" + "0F" * 32):
        with pytest.raises(ArgumentError, match="is no head of records; write the head as it was printed"):
            Head.parse(wrong)


# ---------------------------------------------------------------------- what is missing, put in, or elsewhere


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        ([1, 2, 3], ["line 1: record 1 is missing"]),
        ([0, 2, 3], ["line 2: record 2 is missing"]),
        ([0, 3], ["line 2: records 2 to 3 are missing"]),
        ([0, 2, 1, 3], ["line 2: record 2 is missing", "line 3: record 2 stands after record 3: "]),
        ([1, 0, 2, 3], ["line 1: record 1 is missing", "line 2: record 1 stands after record 2: "]),
        ([0, 1, 1, 2, 3], ["line 3: record 2 stands after record 2: "]),
        ([0, 1, 2, 3, 0], ["line 5: record 1 stands after record 4: "]),
    ],
)
def test_a_record_that_is_missing_or_stands_elsewhere_is_found(chain: Path, kept: list[int], found: list[str]) -> None:
    written = lines(chain)
    chain.write_bytes(b"".join(written[number] for number in kept))
    assert [line.removesuffix("put in, or in another order") for line in broken(chain)] == found


def test_a_removed_end_cannot_be_seen_in_what_is_left_but_by_a_head_that_was_kept(chain: Path) -> None:
    head = records(chain)[-1].head
    chain.write_bytes(b"".join(lines(chain)[:3]))
    assert broken(chain) == []
    assert broken(chain, head) == ["record 4, which was expected, is not there: the records end before it"]
    chain.write_bytes(b"")
    assert broken(chain) == []
    assert broken(chain, head) == ["record 4, which was expected, is not there: the records end before it"]
    assert broken(chain, Head()) == []


def test_a_record_that_was_altered_with_a_digest_of_its_own_is_found_by_the_next_one(
    chain: Path, tmp_path: Path
) -> None:
    written = lines(chain)
    other = tmp_path / "other.jsonl"
    append(other, [CONTENTS[0], {"made": "otherwise"}])
    chain.write_bytes(b"".join([written[0], lines(other)[1], *written[2:]]))
    assert broken(chain) == ["line 3: record 2 is another than the one that record 3 was written after"]


def test_one_that_was_put_in_with_a_number_and_a_digest_of_its_own_is_found(chain: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    append(other, [CONTENTS[0], {"made": "put in"}])
    written = lines(chain)
    chain.write_bytes(b"".join([written[0], lines(other)[1], *written[1:]]))
    assert broken(chain) == [
        "line 3: record 2 stands after record 2: put in, or in another order",
        "line 4: record 2 is another than the one that record 3 was written after",
    ]


def test_a_whole_chain_that_was_written_anew_is_found_by_a_head_that_was_kept(chain: Path) -> None:
    head = records(chain)[2].head
    chain.unlink()
    append(chain, [{"made": "otherwise"}, *CONTENTS[1:]])
    assert broken(chain) == []
    assert broken(chain, head) == ["line 3: record 3 is another than the one that was expected"]


# ---------------------------------------------------------------------- every byte


@pytest.mark.parametrize("other", [lambda byte: byte ^ 0x20, lambda byte: 0x0A])
def test_a_byte_that_was_changed_is_found_wherever_it_is(chain: Path, other: Callable[[int], int]) -> None:
    chain.write_bytes(b"".join(lines(chain)[:3]))
    written = chain.read_bytes()
    unseen = []
    for place, byte in enumerate(written):
        if other(byte) != byte:
            chain.write_bytes(written[:place] + bytes([other(byte)]) + written[place + 1 :])
            unseen += [] if broken(chain) else [place]
    assert unseen == []


def test_a_byte_that_was_removed_or_put_in_is_found_wherever_it_is(chain: Path) -> None:
    chain.write_bytes(b"".join(lines(chain)[:2]))
    written = chain.read_bytes()
    unseen = []
    for place in range(len(written)):
        for changed in (written[:place] + written[place + 1 :], written[:place] + b" " + written[place:]):
            chain.write_bytes(changed)
            unseen += [] if broken(chain) else [place]
    assert unseen == []


def test_a_record_cut_short_anywhere_does_not_look_whole(chain: Path) -> None:
    written = lines(chain)
    whole, last = b"".join(written[:3]), written[3]
    for end in range(1, len(last)):
        chain.write_bytes(whole + last[:end])
        assert broken(chain) == [
            "line 4: record 4 is not whole: a write was broken off, or the end of the file was removed"
        ]
        assert len(records(chain)) == 3


# ---------------------------------------------------------------------- a write that was broken off


def test_what_a_process_left_half_written_is_removed_and_the_next_record_says_so(chain: Path) -> None:
    written = lines(chain)
    whole, last = b"".join(written[:3]), written[3]
    for end in range(1, len(last) - 1):
        chain.write_bytes(whole + last[:end])
        (head,) = append(chain, [{"made": "again"}])
        assert (head.number, broken(chain)) == (4, [])
        said = records(chain)[-1].content
        assert said["unfinished"] == {"bytes": end, "sha256": hashlib.sha256(last[:end]).hexdigest()}
        assert said["made"] == "again"


def test_a_record_that_lacks_nothing_but_its_end_is_kept(chain: Path) -> None:
    written = chain.read_bytes()
    chain.write_bytes(written[:-1])
    (head,) = append(chain, [{"made": "again"}])
    assert (head.number, broken(chain)) == (5, [])
    assert chain.read_bytes().startswith(written)
    assert "unfinished" not in records(chain)[-1].content


def test_half_of_a_first_record_and_zeros_after_a_crash_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    for begun in (b"{", b'{"digest":"00', b"\0" * 512, b'{"digest":"00' + b"\0" * 512):
        path.write_bytes(begun)
        (head,) = append(path, [{"made": "again"}])
        assert (head.number, broken(path)) == (1, [])
        assert records(path)[0].content["unfinished"]["bytes"] == len(begun)


@pytest.mark.parametrize("end", [b"a note\n", b"a note", b"{}\n", b"\n"])
def test_nothing_is_recorded_after_what_is_no_record_and_nothing_of_it_is_removed(chain: Path, end: bytes) -> None:
    written = chain.read_bytes() + end
    chain.write_bytes(written)
    with pytest.raises(
        KbError, match="the last record is not as it was written, so nothing was recorded after it; kb rep"
    ):
        append(chain, [{"made": "again"}])
    assert chain.read_bytes() == written


def test_a_long_text_without_a_line_end_is_not_taken_for_a_record(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"digest":"' + b"0" * (40 * 1024 * 1024))
    with pytest.raises(KbError, match="not as it was written"):
        append(path, [{"made": "again"}])
    assert path.stat().st_size > 40 * 1024 * 1024


KILLED = """
import os, sys
from pathlib import Path
from kb_tools.records import chain
write = os.write
def half(file, data):
    if data.startswith(b'{"digest"'):
        write(file, data[: len(data) // 2])
        os.kill(os.getpid(), 9)
    return write(file, data)
os.write = half
chain.append(Path(sys.argv[1]), [{"made": "never"}])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_process_killed_while_it_writes_leaves_the_chain_to_the_next_one(chain: Path) -> None:
    assert in_a_process(KILLED, chain).returncode == -9
    assert len(records(chain)) == 4
    assert broken(chain) == [
        "line 5: record 5 is not whole: a write was broken off, or the end of the file was removed"
    ]
    append(chain, [{"made": "again"}])
    assert [record.content["made"] for record in records(chain)][-1] == "again"
    assert "never" not in chain.read_text(encoding="utf-8")
    assert broken(chain) == []


def test_an_interrupt_while_records_are_written_leaves_nothing_of_them(
    chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = chain.read_bytes()
    write = os.write

    def interrupted(file: int, data: bytes) -> int:
        write(file, data[:50])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            append(chain, [{"made": "never"}])
    assert chain.read_bytes() == before


FULL = """
import resource, sys
from pathlib import Path
from kb_tools.errors import KbError
from kb_tools.records import chain
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 300, resource.RLIM_INFINITY))
try:
    chain.append(path, [{"made": "never"}, {"made": "never"}])
except KbError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of the system")
def test_where_there_is_no_room_all_records_or_none_are_written(chain: Path) -> None:
    before = chain.read_bytes()
    done = in_a_process(FULL, chain)
    assert done.stdout == (
        f"{chain}: the record cannot be written: File too large; check the folder, its permissions and the room on its "
        "disk; nothing was recorded\n"
    ), done.stderr
    assert chain.read_bytes() == before


# ---------------------------------------------------------------------- many at once


WRITER = """
import sys
from pathlib import Path
from kb_tools.records import chain
path, name = Path(sys.argv[1]), sys.argv[2]
for number in range(30):
    chain.append(path, [{"made": f"{name} {number} {part}"} for part in range(1 + number % 3)])
"""


def test_processes_that_write_at_once_lose_nothing_and_break_nothing(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], cwd=ROOT) for name in "abcd"]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert broken(path) == []
    made = [str(record.content["made"]) for record in records(path)]
    wanted = [f"{number} {part}" for number in range(30) for part in range(1 + number % 3)]
    for name in "abcd":
        # Each wrote its own in order, and those of one call follow each other.
        assert [one.removeprefix(f"{name} ") for one in made if one.startswith(name)] == wanted
    for place, one in enumerate(made):
        if one.endswith(" 0") and one.split()[1] in {str(number) for number in range(2, 30, 3)}:
            assert made[place : place + 3] == [f"{one[:-1]}{part}" for part in range(3)]


def test_a_reader_sees_whole_records_alone_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    append(path, [{"made": "first"}])
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path), "a"], cwd=ROOT) as process:
        while process.poll() is None:
            assert broken(path) == []
    assert len(records(path)) == 61


# ---------------------------------------------------------------------- what cannot be read


def test_a_record_in_a_format_of_another_version_is_refused(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("kb_tools.records.chain.FORMAT", 3)
        patched.setattr("kb_tools.records.chain.__version__", "9.1.0")
        other = chain.with_name("other.jsonl")
        append(other, CONTENTS)
    wanted = (
        f"record 1 was written by kb 9.1.0 in format 3, and this is kb {__version__}, which reads formats 1 and 2; use "
        "the version that wrote it, or a later one"
    )
    with pytest.raises(KbError) as refused:
        list(read(other))
    assert str(refused.value) == f"{other}: {wanted}"
    with pytest.raises(KbError) as refused:
        append(other, CONTENTS)
    assert str(refused.value).endswith(wanted.replace("record 1", "record 4"))


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.mkdir()
    with pytest.raises(KbError, match="the record cannot be written: Is a directory"):
        append(path, CONTENTS)
    if hasattr(os, "mkfifo"):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with pytest.raises(KbError, match="pipe: the record cannot be written: is no file"):
            append(pipe, CONTENTS)
        with pytest.raises(KbError, match="pipe: is no file"):
            list(read(pipe))
