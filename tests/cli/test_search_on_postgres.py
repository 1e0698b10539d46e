"""A search whose database is a PostgreSQL server, as a user types it."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from archdsl.records import State
from archdsl.store.store import open_store

Run = Callable[..., Any]
DIMS = (16, 32, 48, 64)
DEPTHS = (1, 2, 3, 4)
TRIALS = 12
STUDY = {
    "archdsl": 1,
    "kind": "study",
    "name": "shared",
    "space": {
        "archdsl": 1,
        "name": "vit",
        "image": {"size": 8, "channels": 1},
        "depth": {"choose": list(DEPTHS)},
        "process": {
            "embed": {"type": "patch", "patch_size": 2},
            "dim": {"choose": list(DIMS)},
            "block": {"type": "transformer", "head_dim": 16, "mlp_ratio": 2},
        },
        "output": {"task": "classify", "num_classes": 10, "pool": "mean"},
    },
    "objectives": {"latency": "minimize", "top1": "maximize"},
    "evaluate": {"latency": {"table": "values.csv"}, "top1": {"table": "values.csv"}},
    "budget": {"trials": TRIALS},
    "sampler": {"type": "tpe", "seed": 0},
}


@pytest.fixture
def study(folder: Path) -> str:
    """A study whose values come from a table."""
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    rows = [
        f"{depth},{dim},{depth * dim / 16},{60 + depth * 3 + dim * 5 % 17},1"
        for depth, dim in itertools.product(DEPTHS, DIMS)
    ]
    heading = "depth,process.dim,latency,top1,seconds"
    (folder / "values.csv").write_text("\n".join([heading, *rows]) + "\n")
    return "study.yaml"


@pytest.mark.slow
def test_a_search_and_its_front(run: Run, study: str, postgres: str) -> None:
    searched = run("search", study, "--db", postgres, "--trials", "6", "--json")
    again = run("search", study, "--db", postgres, "--trials", "6")
    assert searched.json()["ran"] == 6
    assert "the budget of 'shared' is spent" in again.err
    front = run("front", "--db", postgres, "--json")
    assert front.json()["complete"] == 6
    assert front.json()["members"] == searched.json()["members"]
    shown = run("show", "0", "--db", postgres)
    exported = run("export", "--front", "-o", "found", "--db", postgres)
    healthy = run("doctor", "--db", postgres)
    wrong = run("front", "--study", "shard", "--db", postgres, code=2)
    assert "did you mean 'shared'?" in wrong.err
    password = make_url(postgres).password
    for done in (searched, again, front, shown, exported, healthy, wrong):
        assert password is None or password not in done.out + done.err
    assert searched.json()["db"].startswith("postgresql://")


def test_an_empty_database_is_well(run: Run, postgres: str) -> None:
    findings = run("doctor", "--db", postgres, "--json").json()["findings"]
    (store,) = [finding for finding in findings if finding["name"] == "store"]
    assert "empty; search fills it" in store["found"]


def test_a_server_that_is_not_there(run: Run, study: str) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/x"
    done = run("search", study, "--db", url, code=2)
    assert "no server answers there; start it, or correct host and port in --db" in done.err
    looked = run("doctor", "--db", url, "--json", code=1)
    (bad,) = [finding for finding in looked.json()["findings"] if not finding["ok"]]
    assert bad["name"] == "store"
    for told in (done.err, looked.out):
        assert "secret" not in told


def test_two_drivers_share_a_study(
    start: Callable[..., subprocess.Popen[str]], run: Run, study: str, postgres: str
) -> None:
    drivers = [start("search", study, "--db", postgres, "--json") for _ in range(2)]
    told = [driver.communicate(timeout=120) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], told
    ran = [json.loads(out)["ran"] for out, _ in told]
    assert sum(ran) == TRIALS
    with open_store(postgres, create=False, read_only=True) as store:
        row = store.studies.find("shared")
        trials = store.trials.all(row.id)
        assert [trial.number for trial in trials] == list(range(TRIALS))
        assert {trial.state for trial in trials} == {State.COMPLETE}
        assert len({trial.arch_id for trial in trials}) == TRIALS
        assert store.claims.of_study(row.id) == []
    assert run("search", study, "--db", postgres, "--json").json()["ran"] == 0
