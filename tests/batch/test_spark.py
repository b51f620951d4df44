"""The recipe of docs/runs.md for Spark gives the same rows, though a worker is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import doc_pages as pages
import pytest
from run_cases import LINES, bytes_of, ignore

from kb_tools.batch.run import carry_out, plan
from kb_tools.batch.work import Settings
from kb_tools.model.repository import Repository

pytest.importorskip("pyspark", reason="pyspark is not installed")
pytestmark = pytest.mark.skipif(not shutil.which("java"), reason="there is no Java runtime")
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/runs.md").read_text(encoding="utf-8")
FILES = 8


def test_spark_gives_the_same_rows_though_a_worker_is_killed(
    kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipe,) = [block.text for block in pages.blocks(PAGE) if block.file == "on_spark.py"]
    (tmp_path / "on_spark.py").write_text(recipe)
    (tmp_path / "requests").mkdir()
    for number in range(FILES):
        (tmp_path / f"requests/{number}.jsonl").write_text("\n".join(20 * LINES) + "\n")
    environment = os.environ | {
        "KB_ROOT": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        # Two workers; a task is tried four times.
        "PYSPARK_SUBMIT_ARGS": "--master local[2,4] --conf spark.ui.enabled=false pyspark-shell",
    }
    with subprocess.Popen(
        [sys.executable, "on_spark.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        killed = _kill_a_worker(run)
        printed, said = run.communicate(timeout=300)
    assert killed
    assert run.returncode == 0, said
    assert "Lost task" in said
    assert printed.startswith("{'CriteriaMet': 800, 'InformationNeeded': 320,")
    monkeypatch.chdir(tmp_path)
    made = plan(kb, [Path("requests")], Path("here"), Settings(root="", engine="pyshifty", revision="2026-02"))
    carry_out(made, 1, ignore)
    assert bytes_of(Path("rows")) == bytes_of(Path("here"))
    assert len(list(Path("rows").glob("part-*.parquet"))) == FILES


def _kill_a_worker(run: subprocess.Popen[str]) -> int:
    """Kills the first Python worker of Spark, which begins with loading; returns its number, 0 for none."""
    while run.poll() is None:
        daemons = [pid for pid in _below(run.pid) if "pyspark.daemon" in _command(pid)]
        workers = [pid for pid in daemons if _parent(pid) in daemons]
        if workers:
            os.kill(workers[0], signal.SIGKILL)
            return workers[0]
        time.sleep(0.02)
    return 0


def _below(root: int) -> list[int]:
    """The processes that descend from one."""
    found = [root]
    parents = {int(path.name): _parent(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()}
    for known in found:
        found += [pid for pid, parent in parents.items() if parent == known]
    return found


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
