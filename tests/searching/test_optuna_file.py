"""A study as Optuna's own file: loaded by Optuna, compared trial by trial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from archdsl.records import State
from archdsl.searching.optuna_file import optuna_file
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult
from archdsl.searching.stored import list_trials
from archdsl.store.store import Store

ReadStudy = Callable[..., CheckedStudy]
Run = Callable[..., SearchResult]

SPACE = """\
depth: {range: [1, 4]}
process: {block: {mlp_ratio: {range: [0.5, 2.0], step: 0.5}}}
memory:
  block:
    choose:
      none: null
      mlp: {type: mlp, mlp_ratio: {choose: [0.5, 1]}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_every_trial_comes_back(
    *, study: ReadStudy, run: Run, store: Store, write_values: Any, folder: Path, sampler: str
) -> None:
    checked = study(
        SPACE, trials=12, sampler={"type": sampler, "seed": 1}, constraints=["depth <= 3"]
    )
    write_values(checked)
    row = run(checked).row
    trials = list_trials(store, row)
    (folder / "optuna.db").write_bytes(optuna_file(row, trials))
    loaded = optuna.load_study(study_name=row.name, storage=f"sqlite:///{folder / 'optuna.db'}")
    assert len(loaded.trials) == len(trials) >= 12
    assert [direction.name.lower() for direction in loaded.directions] == list(
        row.objectives.values()
    )
    assert loaded.user_attrs["document"] == dict(row.document)
    for theirs, listed in zip(loaded.trials, trials, strict=True):
        ours = listed.trial
        assert theirs.number == ours.number == theirs.user_attrs["trial"]
        assert theirs.params == dict(ours.params)
        assert set(theirs.distributions) == set(ours.distributions)
        assert theirs.user_attrs["arch_id"] == ours.arch_id
        assert theirs.user_attrs["difference"] == listed.difference
        assert theirs.user_attrs["facts.params"] == listed.facts["params"]
        assert theirs.datetime_start is not None
        if ours.state is State.COMPLETE:
            assert theirs.state.name == "COMPLETE"
            assert theirs.values == [ours.values[name].value for name in row.objectives]
            assert theirs.system_attrs["constraints"] == [0.0]
        else:
            assert ours.state is State.INFEASIBLE
            assert theirs.state.name == "FAIL"
            assert theirs.values is None
            assert theirs.system_attrs["constraints"][0] > 0


@pytest.mark.slow
def test_it_can_be_gone_on_with(
    study: ReadStudy, run: Run, store: Store, write_values: Any, folder: Path
) -> None:
    """Optuna's own sampler proposes from what we found."""
    checked = study(SPACE, trials=6)
    write_values(checked)
    row = run(checked).row
    (folder / "optuna.db").write_bytes(optuna_file(row, list_trials(store, row)))
    loaded = optuna.load_study(study_name=row.name, storage=f"sqlite:///{folder / 'optuna.db'}")
    loaded.sampler = optuna.samplers.RandomSampler(seed=0)
    asked = loaded.ask(loaded.trials[1].distributions)
    assert set(asked.params) == set(loaded.trials[1].params)
    loaded.tell(asked, [1.0, 2.0])
    assert len(loaded.trials) == 7


def test_a_study_without_trials(store: Store, folder: Path) -> None:
    row = store.studies.ensure(
        name="<script> 🚀 \"'",
        document={"base": "tiny", "evaluate": {}},
        objectives={"top1": "maximize"},
    )
    assert list_trials(store, row) == []
    (folder / "optuna.db").write_bytes(optuna_file(row, []))
    loaded = optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'optuna.db'}")
    assert loaded.study_name == row.name
    assert loaded.trials == []
