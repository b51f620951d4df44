"""The inputs of a run that are no lines of plain JSON: FHIR bundles, columns of Parquet, and objects of a store."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, ClassVar

import fsspec
import pyarrow as pa
import pytest
from bundles import DATA
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile
from pyarrow import parquet
from run_cases import ENGINE, LINES, bytes_of, case, ignore, rows

from kb_tools.batch import column, store, work
from kb_tools.batch.column import digest_of
from kb_tools.batch.ranges import files_of, ranges_of
from kb_tools.batch.run import MANIFEST, Plan, carry_out, plan
from kb_tools.batch.store import Location, Url, location
from kb_tools.batch.work import Settings
from kb_tools.cases.case import Malformed
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Determination
from kb_tools.determine.run import FEW, Run
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import Repository

pytestmark = pytest.mark.usefixtures("words_once", "own_cache")
RunKb = Callable[..., CompletedProcess[str]]
TEXTS = [line for line in LINES if line]
SETTINGS = Settings(root="", engine=ENGINE, revision="2026-02")


def planned(kb: Repository, given: Location, folder: Location, **more: object) -> Plan:
    return plan(kb, [given], folder, SETTINGS, **more)  # type: ignore[arg-type]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    return path


# ---------------------------------------------------------------------- FHIR

BUNDLES = sorted(DATA.glob("*.json"))[::2]
TORN = '{"resourceType": "Bundle", "type": "collection", "entry": ['


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """A bundle a line; the last is torn, and no line feed stands behind it."""
    path = tmp_path / "bundles.ndjson"
    texts = [json.dumps(json.loads(file.read_bytes())) for file in BUNDLES]
    path.write_text("\n".join([*texts[:3], "", *texts[3:], TORN]))
    return path


def outcomes_by_validate(kb: Repository, path: Path, revision: str = "2026-02") -> list[str]:
    found = list(CaseReader(kb, record=False).stream(str(path), path, io.BytesIO()))
    return [
        answer.outcome.value
        if isinstance(answer, Determination)
        else "Malformed"
        if isinstance(answer, Malformed)
        else "Unreadable"
        for answer in Run(kb, kb.policy("CP.MP.101"), ENGINE, revision).stream(found)
    ]


def test_bundles_have_the_outcomes_of_validate(kb: Repository, bundles: Path, tmp_path: Path) -> None:
    made = planned(kb, bundles, tmp_path / "to", size=100_000)
    assert len(made.ranges) > 1
    # So many that what they have in common is asked once.
    assert made.ranges[0].cases > FEW
    carry_out(made, 1, ignore)
    found = rows(tmp_path / "to")
    carry_out(plan(kb, [bundles], tmp_path / "plain", replace(SETTINGS, pieces=False)), 1, ignore)
    assert rows(tmp_path / "plain") == found
    assert [row["outcome"] for row in found] == outcomes_by_validate(kb, bundles)
    assert [row["line"] for row in found] == [1, 2, 3, *range(5, len(BUNDLES) + 3)]
    assert {"CriteriaMet", "InformationNeeded", "Unreadable"} <= {row["outcome"] for row in found}
    assert found[-1]["reasons"] == [f"not valid JSON: Expecting value, column {len(TORN) + 1}"]
    # The pseudonym of the patient stands in no row, so how long it holds is nothing to know.
    assert [] in [row["notices"] for row in found]


def test_two_revisions_are_compared_on_bundles_too(kb: Repository, bundles: Path, tmp_path: Path) -> None:
    made = plan(kb, [bundles], tmp_path / "to", Settings(root="", engine=ENGINE, revision="2026-02", compare="2019-10"))
    carry_out(made, 1, ignore)
    found = rows(tmp_path / "to")
    assert [row["outcome"] for row in found] == outcomes_by_validate(kb, bundles)
    assert [row["compared_outcome"] for row in found] == outcomes_by_validate(kb, bundles, "2019-10")
    assert any(row["flips"] for row in found)


def test_the_full_answers_of_bundles_are_those_of_validate(
    kb: Repository, bundles: Path, tmp_path: Path, run_kb: RunKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_PSEUDONYM_KEY", "key")
    made = plan(kb, [bundles], tmp_path / "to", Settings("", ENGINE, None, "2026-02", where=("CriteriaMet",)))
    carry_out(made, 1, ignore)
    found = [json.loads(line) for line in (tmp_path / "to/answers-000000.jsonl").read_text().splitlines()]
    ended = run_kb("validate", str(bundles), "--revision", "2026-02", "--format", "json", "--engine", ENGINE)
    wanted = [one for one in json.loads(ended.stdout)["determinations"] if one["outcome"] == "CriteriaMet"]
    assert [{**one, "file": "", "line": 0} for one in found] == [{**one, "file": "", "line": 0} for one in wanted]
    assert found[0]["reading"]


def test_bulk_data_is_refused_since_it_is_joined_by_patient(kb: Repository, bundles: Path, tmp_path: Path) -> None:
    with bundles.open("a") as file:
        file.write('\n{"resourceType": "Patient", "id": "p"}\n')
    with pytest.raises(
        UnreadableInput,
        match=r"bundles.ndjson:[0-9]+: a resource in no bundle: bulk data is joined by patient, and cannot be cut into "
        r"ranges; kb case convert on its folder, with --format jsonl, writes a case a line",
    ):
        planned(kb, bundles, tmp_path / "to")


CODES = "https://plan.example/codes"
TERMINOLOGY = f"""PREFIX case: <https://w3id.org/policykb/case#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX read: <https://w3id.org/policykb/reading#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
<{CODES}> a read:CodeSystem ; rdfs:label "plan" .
[] a read:Mapping ; read:system <{CODES}> ; skos:notation "MKT" ; read:concept case:Marketplace .
"""


def test_codes_of_a_plan_are_read_by_its_terminology_which_is_pinned(kb: Repository, tmp_path: Path) -> None:
    bundle = json.dumps(json.loads((DATA / "a-plan-of-unknown-kind-is-asked-for.json").read_text()))
    known, own = '{"system": "https://nahdo.org/sopt", "code": "5"}', f'{{"system": "{CODES}", "code": "MKT"}}'
    assert bundle.count(known) == 1
    path, terminology = tmp_path / "bundle.ndjson", tmp_path / "own.ttl"
    path.write_text(bundle.replace(known, own))
    terminology.write_text(TERMINOLOGY)
    carry_out(planned(kb, path, tmp_path / "without"), 1, ignore)
    made = planned(kb, path, tmp_path / "with", terminology=[terminology])
    carry_out(made, 1, ignore)
    found = [rows(tmp_path / name)[0]["outcome"] for name in ("without", "with")]
    assert found == ["InformationNeeded", "CriteriaMet"]
    digest = hashlib.sha256(terminology.read_bytes()).hexdigest()
    assert json.loads((tmp_path / "with" / MANIFEST).read_text())["terminology"] == [[str(terminology), digest]]
    terminology.write_text(TERMINOLOGY + "# more")
    with pytest.raises(KbError, match="with: holds a run of other terminology"):
        planned(kb, path, tmp_path / "with", terminology=[terminology])
    work._worker.cache_clear()
    (tmp_path / "with/part-000000.parquet").unlink()
    with pytest.raises(KbError, match=r"own.ttl: changed since the run began; restore it and run again"):
        carry_out(made, 1, ignore)
    terminology.write_text("no Turtle")
    with pytest.raises(UnreadableInput, match=r"own.ttl:1: not valid Turtle"):
        planned(kb, path, tmp_path / "other", terminology=[terminology])


# ---------------------------------------------------------------------- Parquet


def table_of(texts: list[str | None], type_: pa.DataType, path: Path, **more: list[object]) -> Path:
    """A Parquet file with texts in the column `request`."""
    column = pa.array(texts, pa.string())
    dictionary = pa.types.is_dictionary(type_)
    table = pa.table({"request": column.dictionary_encode() if dictionary else column.cast(type_), **more})
    parquet.write_table(table, path, row_group_size=4)
    return path


@pytest.mark.parametrize("type_", [pa.string(), pa.large_binary(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_a_column_of_parquet_gives_the_rows_of_the_lines(
    kb: Repository, lines: Path, tmp_path: Path, type_: pa.DataType
) -> None:
    path = table_of([*TEXTS, None, " "], type_, tmp_path / "cases.parquet")
    made = planned(kb, path, tmp_path / "to")
    assert [(one.start, one.line, one.cases) for one in made.ranges] == [(0, 1, 4), (1, 5, 4), (2, 9, 4), (3, 13, 2)]
    carry_out(made, 1, ignore)
    carry_out(planned(kb, lines, tmp_path / "lines"), 1, ignore)
    found, wanted = rows(tmp_path / "to"), rows(tmp_path / "lines")
    apart = {"file": "", "line": 0}
    assert [{**row, **apart} for row in found[:-2]] == [{**row, **apart} for row in wanted]
    assert [row["line"] for row in found] == [*range(1, 15)]
    assert [(row["outcome"], row["reasons"]) for row in found[-2:]] == [
        ("Unreadable", ["no text in this row"]),
        ("Unreadable", ["not valid JSON: Expecting value, column 2"]),
    ]


def test_a_large_row_group_is_cut_into_ranges_of_rows(tmp_path: Path) -> None:
    texts = [*TEXTS[:3], None, *TEXTS[4:]]
    path = table_of(texts, pa.string(), tmp_path / "cases.parquet")
    for size, count in ((1, 12), (1000, 6), (10**6, 3)):
        ranges = ranges_of([path], size)
        assert [text for one in ranges for text in one.read()] == [
            (number, text and text.encode()) for number, text in enumerate(texts, 1)
        ]
        assert [one.number for one in ranges] == list(range(len(ranges)))
        assert len(ranges) == count


def test_a_column_may_hold_bundles_too(kb: Repository, tmp_path: Path) -> None:
    bundle = next(file.read_text() for file in BUNDLES)
    path = table_of([TEXTS[0], bundle], pa.string(), tmp_path / "cases.parquet")
    carry_out(planned(kb, path, tmp_path / "to"), 1, ignore)
    (tmp_path / "bundle.ndjson").write_text(json.dumps(json.loads(bundle)))
    assert [row["outcome"] for row in rows(tmp_path / "to")] == [
        "CriteriaMet",
        *outcomes_by_validate(kb, tmp_path / "bundle.ndjson"),
    ]


def test_the_column_is_the_only_one_or_the_one_that_is_named(tmp_path: Path) -> None:
    (path,) = [table_of(["{}"], pa.string(), tmp_path / "one.parquet", number=[1])]
    assert [one.column for one in ranges_of([path])] == ["request"]
    path = table_of(["{}"], pa.string(), tmp_path / "two.parquet", case=["{}"], number=[1])
    assert [one.column for one in ranges_of([path])] == ["case"]
    assert [one.column for one in ranges_of([path], column="request")] == ["request"]


WRONG_COLUMNS: list[tuple[str, dict[str, list[object]], str]] = [
    ("other", {}, "no column other; columns with texts: request"),
    ("number", {"number": [1]}, "column number holds no texts; columns with texts: request"),
    ("", {"note": ["x"]}, "several columns hold texts; name one with --column: request, note"),
]


@pytest.mark.parametrize(("name", "more", "said"), WRONG_COLUMNS)
def test_a_column_that_is_not_clear_is_one_line(
    tmp_path: Path, name: str, more: dict[str, list[object]], said: str
) -> None:
    path = table_of(["{}"], pa.string(), tmp_path / "cases.parquet", **more)
    with pytest.raises(UnreadableInput) as caught:
        ranges_of([path], column=name)
    assert str(caught.value) == f"{path}: {said}"


def test_two_columns_of_one_name_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    parquet.write_table(pa.Table.from_arrays([pa.array(["{}"]), pa.array(["[]"])], ["case", "case"]), path)
    for name in ("", "case"):
        with pytest.raises(UnreadableInput) as caught:
            ranges_of([path], column=name)
        assert str(caught.value) == f"{path}: several columns of the name case; rename all but one"
    parquet.write_table(pa.Table.from_arrays([pa.array([1]), pa.array(["[]"])], ["case", "case"]), path)
    with pytest.raises(UnreadableInput, match="several columns of the name case"):
        ranges_of([path])


def test_rows_that_are_added_to_a_parquet_file_are_an_error(kb: Repository, tmp_path: Path) -> None:
    path = table_of([*TEXTS[:3]], pa.string(), tmp_path / "cases.parquet")
    made = planned(kb, path, tmp_path / "to")
    carry_out(made, 1, ignore)
    table_of([*TEXTS[:3], TEXTS[3]], pa.string(), path)
    with pytest.raises(
        UnreadableInput, match=r"cases.parquet: changed since the run began \(it had [0-9,]+ bytes, and"
    ):
        carry_out(made, 1, ignore)


def test_a_torn_parquet_file_and_one_that_changes_are_one_line(kb: Repository, tmp_path: Path) -> None:
    path = table_of([*TEXTS], pa.string(), tmp_path / "cases.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    with pytest.raises(UnreadableInput, match=r"cases.parquet: not a whole Parquet file; write it again"):
        planned(kb, path, tmp_path / "to")
    path.write_bytes(whole)
    made = planned(kb, path, tmp_path / "to")
    for changed in ([case(99), *TEXTS[1:]], TEXTS[:3]):
        table_of([*changed], pa.string(), path)
        with pytest.raises(UnreadableInput, match=r"changed since the run began \(row group 0 to 1\); restore it"):
            carry_out(made, 1, ignore)
    path.write_bytes(whole[:-50])
    with pytest.raises(UnreadableInput, match=r"changed since the run began \(row group 0 to 1\); restore it"):
        carry_out(made, 1, ignore)


def test_a_row_group_that_is_too_large_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column, "MAX_GROUP", 2**20)
    path = table_of(["x" * 2**21], pa.string(), tmp_path / "cases.parquet")
    with pytest.raises(UnreadableInput, match=r"row group 0 has 2 MiB of texts, and may have 1; write row groups of"):
        ranges_of([path])


def test_texts_have_one_digest_only_if_they_are_the_same() -> None:
    assert len({digest_of(texts) for texts in ([b"ab"], [b"a", b"b"], [b"", b"ab"], [None, b"ab"], [b"ab", None])}) == 5


# ---------------------------------------------------------------------- folders


def test_a_folder_may_mix_formats_and_what_is_skipped_is_told(
    run_kb: RunKb, lines: Path, bundles: Path, tmp_path: Path
) -> None:
    table_of([TEXTS[0]], pa.string(), tmp_path / "one.PARQUET")
    for name in ("a.csv", "b.CSV", "_SUCCESS"):
        (tmp_path / name).touch()
    options = ("--to", str(tmp_path / "to"), "--revision", "2026-02", "--engine", ENGINE, "--workers", "1")
    ended = run_kb("run", str(tmp_path), *options)
    assert ended.returncode == 0
    assert ended.stderr == "kb: files skipped in the folders, by their endings: 3 (.csv 2, no ending 1)\n"
    found = rows(tmp_path / "to")
    assert {Path(str(row["file"])).name for row in found} == {"bundles.ndjson", "cases.jsonl", "one.PARQUET"}
    assert len(found) == len(BUNDLES) + 1 + len(TEXTS) + 1


# ---------------------------------------------------------------------- object stores


class Remote(AbstractBufferedFile):  # type: ignore[misc]
    """A file of a store, read as the drivers of real stores read theirs: in ranges."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(self.fs.store[self.path].getvalue()[start:end])


class Vault(MemoryFileSystem):  # type: ignore[misc]
    """A store that tells the states of an object apart, and gives ranges of it."""

    protocol = "vault"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def info(self, path: str, **more: object) -> dict[str, object]:
        told: dict[str, object] = super().info(path, **more)
        if told["type"] == "file":
            told["ETag"] = hashlib.md5(self.store[path].getvalue()).hexdigest()
        return told

    def _open(self, path: str, mode: str = "rb", **more: object) -> object:
        return Remote(self, path, mode) if mode == "rb" else super()._open(path, mode, **more)


class Closed(MemoryFileSystem):  # type: ignore[misc]
    """A store that nobody may use, whose driver tells more than it should."""

    protocol = "closed"

    def info(self, path: str, **more: object) -> dict[str, object]:
        raise RuntimeError(f"no access to {path} with key SECRET")


@pytest.fixture(autouse=True)
def stores() -> Iterator[None]:
    """The stores, empty."""
    fsspec.register_implementation("vault", Vault, clobber=True)
    fsspec.register_implementation("closed", Closed, clobber=True)
    for kind in (MemoryFileSystem, Vault):
        kind.store.clear()
        kind.pseudo_dirs[:] = [""]
    yield


@pytest.mark.parametrize("scheme", ["memory", "vault"])
def test_inputs_and_rows_may_stand_in_a_store(kb: Repository, lines: Path, tmp_path: Path, scheme: str) -> None:
    bucket, to = location(f"{scheme}://bucket/2026"), location(f"{scheme}://bucket/rows")
    table = table_of([TEXTS[0]], pa.string(), tmp_path / "one.parquet")
    store.write(bucket / "a/cases.jsonl", lines.read_bytes())
    store.write(bucket / "one.parquet", table.read_bytes())
    store.write(bucket / "notes.txt", b"")
    store.write(bucket / ".hidden/more.jsonl", b"no case")
    store.write(bucket / "a/none.jsonl", b"")
    settings = Settings("", ENGINE, None, "2026-02", where=("CriteriaNotMet",))
    made = plan(kb, [bucket], to, settings, 1500)
    assert made.skipped == {".txt": 1, "hidden": 1}
    assert made.pinned.empty == (str(bucket / "a/none.jsonl"),)
    carry_out(made, 1, ignore)
    # A folder of this machine gets the same rows.
    carry_out(plan(kb, [bucket], tmp_path / "to", settings, 1500), 1, ignore)
    assert isinstance(to, Url)
    put = {place.name: store.read(place) for place in store.files_below(to)}
    assert {name: put[name] for name in put if name != MANIFEST} == {
        name: content for name, content in bytes_of(tmp_path / "to").items() if name != MANIFEST
    }
    pinned = json.loads(put[MANIFEST])["ranges"]
    assert all(bool(one["version"]) == (scheme == "vault") for one in pinned)
    assert {row["file"] for row in rows(tmp_path / "to")} == {
        str(bucket / "a/cases.jsonl"),
        str(bucket / "one.parquet"),
    }
    # What it wrote is no input of it.
    inside, _ = files_of([location(f"{scheme}://bucket")], to)
    assert inside == [bucket / "a/cases.jsonl", bucket / "a/none.jsonl", bucket / "one.parquet"]
    # Begun again, it finds all there, and one part made anew has the bytes it had.
    again = plan(kb, [bucket], to, settings, 1500)
    assert again.missing() == []
    store.write(to / "part-000001.parquet", put["part-000001.parquet"][:-3])
    assert [one.number for one in again.missing()] == [1]
    carry_out(again, 1, ignore)
    assert {place.name: store.read(place) for place in store.files_below(to)} == put
    # An object that gets more lines, and packed ones.
    store.write(bucket / "a/none.jsonl", lines.read_bytes())
    with pytest.raises(UnreadableInput, match=r"a/none.jsonl: changed since the run began \(it had 0 bytes, and has "):
        carry_out(again, 1, ignore)
    store.write(bucket / "a/more.ndjson.gz", b"")
    with pytest.raises(UnreadableInput, match=r"a/more.ndjson.gz: packed, and not read; unpack it"):
        files_of([bucket], to)


def test_a_store_with_something_else_is_no_place_for_rows(kb: Repository, lines: Path) -> None:
    to = location("memory://bucket/rows")
    store.write(to / "notes.txt", b"mine")
    with pytest.raises(KbError, match="memory://bucket/rows: is not empty, and holds no run; give another folder"):
        planned(kb, lines, to)


def test_an_object_that_is_gone_is_an_error(kb: Repository, lines: Path, tmp_path: Path) -> None:
    place = location("memory://bucket/cases.jsonl")
    store.write(place, lines.read_bytes())
    made = planned(kb, place, tmp_path / "to")
    MemoryFileSystem.store.clear()
    with pytest.raises(UnreadableInput, match=r"memory://bucket/cases.jsonl: no such file or folder; check the addr"):
        carry_out(made, 1, ignore)


def test_an_object_of_another_version_is_another_input(kb: Repository, lines: Path, tmp_path: Path) -> None:
    place = location("vault://bucket/cases.jsonl")
    store.write(place, lines.read_bytes())
    made = planned(kb, place, tmp_path / "to", size=1500)
    store.write(place, lines.read_bytes() + b"\n")
    with pytest.raises(UnreadableInput, match=r"vault://bucket/cases.jsonl: changed since the run began \(bytes 0 to"):
        carry_out(made, 1, ignore)


ADDRESSES = [
    ("s3://bucket/a.jsonl", "s3://bucket/a.jsonl: s3:// needs a driver, which is not installed; pip install s3fs"),
    ("gs://bucket/a.jsonl", "gs://bucket/a.jsonl: gs:// needs a driver, which is not installed; pip install gcsfs"),
    ("abfs://c@a.host/x", "abfs://c@a.host/x: abfs:// needs a driver, which is not installed; pip install adlfs"),
    ("cloud://b/a", "cloud://b/a: cloud:// is of no store that fsspec knows; for instance s3://, gs://, abfs://"),
    (
        "closed://b/a.jsonl",
        "closed://b/a.jsonl: the store cannot be used (RuntimeError); check the address, and the credentials as its "
        "driver wants them",
    ),
    ("memory://b/a.jsonl", "memory://b/a.jsonl: no such file or folder; check the path"),
    *(
        (
            address,
            f"an address of {address[: address.index(':')]} with a password, a query or a fragment is not taken: it "
            "would be written down; let the driver find the credentials itself, and rename files whose name holds ? or "
            "#",
        )
        for address in ("ftp://me:SECRET@host/a.jsonl", "https://host/a.jsonl?sig=SECRET")
    ),
]


@pytest.mark.parametrize(("address", "said"), ADDRESSES)
def test_an_address_that_cannot_be_used_is_one_line_without_secrets(run_kb: RunKb, address: str, said: str) -> None:
    for arguments in (("run", address, "--to", "to"),):
        ended = run_kb(*arguments)
        assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"kb: {said}\n")
    assert "SECRET" not in said


def test_a_store_that_takes_nothing_is_one_line(
    kb: Repository, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(kb, lines, location("memory://bucket/rows"), size=1500)
    really = Vault.pipe_file

    def pipe_file(self: MemoryFileSystem, path: str, value: bytes) -> None:
        if "part-000001" in path:
            raise PermissionError(f"{path} SECRET")
        really(self, path, value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
    with pytest.raises(KbError) as caught:
        carry_out(made, 1, ignore)
    assert str(caught.value) == (
        "memory://bucket/rows/part-000001.parquet: cannot be written: the store gives no permission; "
        "make room or give access, and run again: the parts that are there are kept"
    )
    assert [one.number for one in made.missing()] == [one.number for one in made.ranges[1:]]


def test_a_file_address_is_a_file_of_this_machine(tmp_path: Path) -> None:
    assert location(f"file://{tmp_path}/a%20b.jsonl") == tmp_path / "a b.jsonl"
    assert location("rows") == Path("rows")
    assert location("S3://Bucket/a") == Url("S3://Bucket/a")
