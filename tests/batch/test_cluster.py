"""The same rows from the workers of a Dask scheduler, one of which is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from run_cases import LINES, bytes_of, ignore, planned

from kb_tools.batch import run as batch_run
from kb_tools.batch.run import carry_out
from kb_tools.batch.store import location
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository

pytestmark = pytest.mark.usefixtures("words_once", "own_cache")
distributed = pytest.importorskip("distributed")
MANY = [line for _ in range(12) for line in LINES]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(MANY) + "\n")
    return path


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_of_which_a_worker_is_killed_gives_the_same_bytes(
    kb: Repository, cases: Path, tmp_path: Path
) -> None:
    carry_out(planned(kb, cases, tmp_path / "here", 6000), 1, ignore)
    there = tmp_path / "there"
    there.mkdir()
    # By way of fsspec, as an object store.
    made = planned(kb, cases, location(f"local://{there}"), 6000)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        first = cluster.workers[0].pid
        done: list[int] = []

        def kill() -> None:
            while len(list(there.glob("part-*"))) < 2:
                time.sleep(0.01)
            os.kill(first, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        carry_out(made, 1, done.append, cluster.scheduler_address)
        killer.join()
    assert sum(done) == made.cases
    assert bytes_of(there) == bytes_of(tmp_path / "here")


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_goes_away_is_one_line_and_what_is_there_stays(
    kb: Repository, cases: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = planned(kb, cases, tmp_path / "to", 6000)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
    ) as cluster:

        def close(number: int) -> None:
            if number:
                cluster.close()

        with pytest.raises(KbError, match=r"the cluster went away: .*; run again: the parts that are there are kept"):
            carry_out(made, 1, close, cluster.scheduler_address)
    assert [record.message for record in caplog.records if record.name == "distributed.client"] == []
    assert 0 < len(made.missing()) < len(made.ranges)
    assert carry_out(made, 1, ignore).cases == made.cases


def test_a_cluster_that_is_not_there_is_one_line(
    kb: Repository, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_run, "TIMEOUT", "1s")
    made = planned(kb, cases, tmp_path / "to")
    with pytest.raises(
        KbError, match=r"tcp://127.0.0.1:1: the cluster went away: .*; run again: the parts that are there"
    ):
        carry_out(made, 1, ignore, "tcp://127.0.0.1:1")
