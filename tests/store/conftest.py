"""A store on a real file and on a real server, and short ways to fill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from archdsl.records import Measurement, Outcome, State
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial, StudyRow, Trial
from archdsl.store.store import Store, open_store

OBJECTIVES = {"latency": "minimize", "top1": "maximize"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archdsl.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, path: Path) -> str:
    """A database that does not exist yet, or is empty: one of each kind."""
    return str(path if request.param == "sqlite" else request.getfixturevalue("postgres"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> StudyRow:
    return store.studies.ensure(name="digits", document={"space": {}}, objectives=OBJECTIVES)


Add = Callable[..., Trial | None]


@pytest.fixture
def add(store: Store, study: StudyRow) -> Add:
    def add_trial(
        arch_id: str,
        *,
        budget: int | None = None,
        owner: Owner | None = None,
        counted: bool = True,
        study_id: int = study.id,
    ) -> Trial | None:
        new = NewTrial(
            architecture=Architecture(
                arch_id=arch_id,
                spec={"name": arch_id},
                plan={"layers": [arch_id]},
                facts={"params": 7},
            ),
            params={"dim": 384, "fusion": "add"},
            distributions={"dim": {"choices": [384, 768]}},
            sampler_attrs={"tpe": {"n": 1}},
            attempt=2,
            counted=counted,
        )
        return store.trials.add(
            new, study_id=study_id, budget=budget, owner=owner or Owner.current()
        )

    return add_trial


def measurement(quantity: str, value: float, spread: float, **protocol: object) -> Measurement:
    return Measurement(
        quantity=quantity,
        value=value,
        low=value - spread,
        high=value + spread,
        unit="ms" if quantity == "latency" else "%",
        protocol=protocol or {"quantity": quantity},
        detail={"samples": [value]},
    )


@pytest.fixture
def measure() -> Callable[..., Measurement]:
    return measurement


Complete = Callable[..., Trial]


@pytest.fixture
def complete(store: Store, add: Add) -> Complete:
    """Add and finish a trial: `complete("aa", latency=3.0, top1=80.0)`."""

    def complete_trial(
        arch_id: str, *, spread: float = 0.0, study_id: int | None = None, **values: float
    ) -> Trial:
        trial = add(arch_id) if study_id is None else add(arch_id, study_id=study_id)
        assert trial is not None
        assert trial.token is not None
        made: Mapping[str, Measurement] = {
            name: measurement(name, value, spread) for name, value in values.items()
        }
        store.trials.finish(
            trial_id=trial.id,
            token=trial.token,
            outcome=Outcome(state=State.COMPLETE, measurements=tuple(made.values()), seconds=1.5),
            values=made,
        )
        return store.trials.get(trial.study_id, trial.number)

    return complete_trial
