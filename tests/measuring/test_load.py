"""What others take of the processors is seen, whoever they are."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from archdsl.measuring.load import CpuLoad

WINDOW_SECONDS = 1.5
SPIN = "while True: pass"


def busy_for(seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


@pytest.mark.slow
def test_a_busy_process_is_foreign() -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN]) as spinner:
        try:
            time.sleep(0.3)
            load = CpuLoad(threads=1)
            time.sleep(WINDOW_SECONDS)
            found = load.read()
        finally:
            spinner.kill()
    assert found.foreign_cores is not None
    assert found.foreign_cores > 0.3
    assert found.own_cores < 0.2, "it is no thread of ours"


@pytest.mark.slow
def test_our_own_work_is_not_foreign() -> None:
    load = CpuLoad(threads=1)
    started = time.perf_counter()
    busy_for(WINDOW_SECONDS)
    found = load.read()
    wall = time.perf_counter() - started
    assert found.own_cores < 0.2
    assert found.foreign_cores is not None
    # The core this thread kept busy is nobody else's, however busy the others are.
    assert found.foreign_cores <= load.cores - 0.3 * WINDOW_SECONDS / wall


@pytest.mark.slow
def test_another_thread_of_ours_is_seen() -> None:
    thread = threading.Thread(target=busy_for, args=(WINDOW_SECONDS,))
    load = CpuLoad(threads=1)
    thread.start()
    thread.join()
    assert load.read().own_cores > 0.2


def test_too_short_a_window_tells_nothing_of_others() -> None:
    load = CpuLoad(threads=1)
    assert load.read().foreign_cores is None
