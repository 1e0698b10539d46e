"""A search that loses the server of its database."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from archdsl.errors import StoreError
from archdsl.records import State
from archdsl.store.store import open_store
from tests.fixtures.relay import relay_to

Run = Callable[..., Any]
SEARCH = (
    *("search", "digits", "--set", "evaluate.top1.epochs=1"),
    *("--set", "evaluate.latency.max_seconds=0.2"),
)


def complete(url: str) -> int:
    """How many trials are complete; 0 while there is no study yet."""
    with suppress(StoreError), open_store(url, create=False, read_only=True) as store:
        return store.trials.count(store.studies.find("digits").id).states[State.COMPLETE]
    return 0


@pytest.mark.slow
def test_what_is_safe_is_said(
    run: Run, start: Callable[..., subprocess.Popen[str]], postgres: str
) -> None:
    relay, way = relay_to(postgres)
    driver = start(*SEARCH, "--trials", "20", "--db", way)
    deadline = time.monotonic() + 120
    while complete(postgres) < 1:
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    relay.cut_between_transactions()
    _, told = driver.communicate(timeout=120)
    assert driver.returncode == 2, told
    assert "trying again for 30 s" in told
    assert told.endswith("what is finished is stored there; the same command goes on from it\n")
    stored = complete(postgres)
    assert stored >= 1
    again = run(*SEARCH, "--trials", str(stored + 1), "--db", postgres, "--json").json()
    assert again["ran"] <= 2, "one that was under way, and one more"
