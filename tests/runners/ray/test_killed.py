"""A driver of a cluster that ends too soon: the same command goes on, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from archdsl.records import State
from archdsl.store.store import open_store

pytest.importorskip("ray.tune", reason="an extra")

Start = Callable[[], "subprocess.Popen[bytes]"]
HERE = Path(__file__).parents[1]
TRIALS = 40
SLOTS = 2
ENDS = {
    signal.SIGKILL: "",
    signal.SIGINT: "archdsl: interrupted; run the same command again",
    signal.SIGTERM: "archdsl: ended by SIGTERM; run the same command again",
    signal.SIGHUP: "archdsl: ended by SIGHUP; run the same command again",
}
"""What ends a driver, and how its last word begins, if it has one."""
PROFILE = f"""\
archdsl: 1
kind: runner
name: two
executor: ray
training: {{device: cpu, cpus: 0.5}}
concurrent: {SLOTS}
storage: files
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, diary_toys: Any) -> Iterator[Start]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.yaml").write_text(PROFILE)
    (tmp_path / "tiny.yaml").write_text(diary_toys.BASE)
    study = {**diary_toys.STUDY, "budget": {"trials": TRIALS}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    command = [sys.executable, str(HERE / "diary_search_process.py"), "study.yaml", "a.db", "two"]

    with ExitStack() as drivers:

        def started() -> subprocess.Popen[bytes]:
            driver = subprocess.Popen(
                command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            drivers.enter_context(driver)
            drivers.callback(driver.kill)
            return driver

        yield started


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def written(toys: Any, folder: Path, lines: int) -> bool:
    return len(toys.diary(folder)) > lines


def trainers(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """All it started but Ray's agents, which look for their machine every few seconds only."""
    named = []
    for each in psutil.Process(driver.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            named.append((each, each.name(), " ".join(each.cmdline())))
    assert any("raylet" in name for _, name, _ in named)
    return [each for each, _, command in named if "Agent" not in command]


def gone(processes: list[psutil.Process]) -> bool:
    return all(ended(each) for each in processes)


def ended(process: psutil.Process) -> bool:
    """It may end between any two questions, and a zombie waits for its parent only."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
def test_a_driver_that_ends_repeats_at_most_an_epoch_per_slot(
    start: Start, tmp_path: Path, diary_toys: Any
) -> None:
    folder = tmp_path / "files"
    for number, words in ENDS.items():
        enough = len(diary_toys.diary(folder)) + 4 * 6 + 1
        driver = start()
        assert wait_until(partial(written, diary_toys, folder, enough))
        started = trainers(driver)
        os.kill(driver.pid, number)
        _, told = driver.communicate(timeout=120)
        if words:
            assert driver.returncode == 128 + number
            assert told.decode().splitlines()[-1].startswith(words)
        assert wait_until(partial(gone, started)), "Ray and trainings end with their driver"
    last = start()
    out, _ = last.communicate(timeout=120)
    assert last.returncode == 0
    assert out == b""
    with open_store(str(tmp_path / "a.db")) as store:
        trials = store.trials.all(store.studies.find("diary").id)
    assert [trial.state for trial in trials] == [State.COMPLETE] * TRIALS
    assert len({trial.arch_id for trial in trials}) == TRIALS
    lines = diary_toys.diary(folder)
    epochs = Counter((line[1], line[2]) for line in lines if line[0] == "epoch")
    assert set(epochs) == {(str(n), str(e)) for n in range(TRIALS) for e in range(1, 4)}
    repeated = sum(count - 1 for count in epochs.values())
    assert repeated <= len(ENDS) * SLOTS, "the epochs under way, and none that had a checkpoint"
    whole = [n for n in range(TRIALS) if all(epochs[str(n), str(e)] > 1 for e in range(1, 4))]
    assert not whole, "trainings that were repeated from their start to their end"


@pytest.mark.slow
def test_a_search_goes_on_with_another_cluster_when_its_own_is_gone(
    *,
    start: Start,
    tmp_path: Path,
    diary_toys: Any,
    ray_head: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ray ends a driver that has lost its cluster; see docs/scaling.md."""
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")
    study = tmp_path / "study.yaml"
    study.write_text(study.read_text().replace(f"trials: {TRIALS}", "trials: 8"))
    there = PROFILE.replace("concurrent: 2", "address: HEAD").replace("cpus: 0.5", "cpus: 1")
    profile, folder = tmp_path / "two.yaml", tmp_path / "files"
    with ray_head(os.environ) as head:
        profile.write_text(there.replace("HEAD", head.address))
        driver = start()
        assert wait_until(partial(written, diary_toys, folder, 9))
        head.kill()
        driver.communicate(timeout=60)
        assert driver.returncode
    with ray_head(os.environ) as head:
        profile.write_text(there.replace("HEAD", head.address))
        last = start()
        last.communicate(timeout=60)
        assert last.returncode == 0
    with open_store(str(tmp_path / "a.db")) as store:
        trials = store.trials.all(store.studies.find("diary").id)
    assert [trial.state for trial in trials] == [State.COMPLETE] * 8
    lines = diary_toys.diary(folder)
    epochs = Counter((line[1], line[2]) for line in lines if line[0] == "epoch")
    assert sum(count - 1 for count in epochs.values()) <= 1, "the epoch that was under way"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raylet", "gcs_server", "ray::RuntimeEnvAgent"])
def test_where_ray_itself_dies_the_last_word_is_ours(
    start: Start, tmp_path: Path, diary_toys: Any, name: str
) -> None:
    driver = start()
    assert wait_until(partial(written, diary_toys, tmp_path / "files", 9))
    for each in psutil.Process(driver.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if name in (each.name(), *each.cmdline()[:1]):
                each.kill()
    _, told = driver.communicate(timeout=60)
    assert driver.returncode == 2, told
    last = told.decode().strip().splitlines()[-1]
    assert last.startswith("archdsl: a process of Ray's own on this machine has died (")
    assert name in last.partition(": killed")[0], "perhaps beside others, which went with it"
    assert last.endswith("what is finished is stored, and the same command goes on from it")
    with open_store(str(tmp_path / "a.db")) as store:
        trials = store.trials.all(store.studies.find("diary").id)
    assert any(trial.state is State.COMPLETE for trial in trials)
