"""What the tests share: the knowledge base of the checkout, one well-formed case to vary, and the command itself."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from installed import INSTALLED

from kb_tools import cli
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.shacl import ENGINES

pytest_plugins = [
    *(
        "agents",
        "browsers",
        "bs6",
        "done_once",
        "fhir_fixtures",
        "fhir_validator",
        "pr8",
        "run_fixtures",
        "served",
        "wn3",
    ),
]
ROOT = Path(__file__).parents[1]
# Most tests are of one policy: it is the one that is meant where they name none.
os.environ["KB_POLICY"] = "CP.MP.101"
# As kb has it: little of what is read becomes garbage.
gc.set_threshold(100_000, 20, 20)
# A shell starts its background jobs with Ctrl-C ignored, and nohup starts what it runs with SIGHUP ignored; whatever
# they start ignores it too: the tests of these signals would wait for ever. What pytest and its workers start gets the
# default back with this.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips a test of an engine that is not installed: shacl has no wheel for every platform."""
    for item in items:
        engine = (
            item.callspec.params.get("engine")
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else None
        )
        if engine in ENGINES and engine not in INSTALLED:
            item.add_marker(pytest.mark.skip(reason=f"the engine {engine} is not installed"))


@pytest.fixture(scope="session")
def kb() -> Repository:
    """The knowledge base under test."""
    return Repository(ROOT)


@pytest.fixture
def no_policy_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of several policies is meant where none is named."""
    monkeypatch.delenv("KB_POLICY")


@pytest.fixture(scope="session")
def policy(kb: Repository) -> Policy:
    """The policy that most tests are of."""
    return kb.policy("CP.MP.101")


@pytest.fixture(scope="session")
def well_formed() -> str:
    """A case that states one finding of every class, and meets the criteria of 2026-02."""
    return (ROOT / "tests/data/case.ttl").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def vary(well_formed: str) -> Callable[[str, str], str]:
    """The well-formed case with one part of its text, which stands in it exactly once, put another way."""

    def varied(old: str, new: str) -> str:
        assert well_formed.count(old) == 1, f"{old!r} stands {well_formed.count(old)} times in the case"
        return well_formed.replace(old, new)

    return varied


@pytest.fixture
def run_kb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., CompletedProcess[str]]:
    """Runs the command in an empty folder, its edge included: what it prints, and the code with which it exits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KB_ROOT", str(ROOT))

    def run(*arguments: str, stdin: bytes = b"") -> CompletedProcess[str]:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["kb", *arguments])
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                cli.main()
        output = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return CompletedProcess(["kb", *arguments], ended.value.code, output.out, output.err)

    return run


@pytest.fixture(scope="module")
def pseudonym_key() -> Iterator[None]:
    """The same pseudonyms in every run, and no notice that they are not."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KB_PSEUDONYM_KEY", "of the tests")
        yield
