"""Write the database of the present schema beside this file, once per schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archdsl.records import Measurement, Outcome, State
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial, Value
from archdsl.store.schema import REVISIONS
from archdsl.store.store import Store, open_store

OWNER = Owner(host="example", boot_id="gone", pid=1, process_start="1")


def proposal(number: int, *, counted: bool = True) -> NewTrial:
    return NewTrial(
        architecture=Architecture(
            arch_id=f"a{number}",
            spec={"archdsl": 1, "depth": number},
            plan={"layers": [number]},
            facts={"params": 1000 * number},
        ),
        params={"depth": number},
        distributions={"depth": {"name": "IntDistribution"}},
        counted=counted,
    )


def measurement(quantity: str, unit: str, value: float, spread: float) -> Measurement:
    return Measurement(
        quantity=quantity,
        value=value,
        low=value - spread,
        high=value + spread,
        unit=unit,
        protocol={"quantity": quantity, "seeds": [0]},
        detail={"samples": [value]},
    )


def settle(store: Store, study_id: int) -> None:
    """Two more seeds of trial 0."""
    for seed, value in ((1, 69.0), (2, 71.0)):
        store.samples.add(
            trial_id=store.trials.get(study_id, 0).id,
            objective="top1",
            measurement=replace(
                measurement("top1", "%", value, 1.0), protocol={"quantity": "top1", "seeds": [seed]}
            ),
            pool=lambda made: Value(value=70.0, low=67.5, high=72.5),
        )


def fill(store: Store) -> None:
    study = store.studies.ensure(
        name="digits",
        document={"archdsl": 1, "kind": "study", "space": {"depth": {"choose": [0, 1, 2]}}},
        objectives={"latency": "minimize", "top1": "maximize"},
        budget=9,
    )
    for number, (latency, top1) in enumerate([(5.0, 70.0), (10.0, 80.0), (10.5, 79.5)]):
        trial = store.trials.add(proposal(number), study_id=study.id, budget=9, owner=OWNER)
        assert trial is not None
        values = {
            "latency": measurement("latency", "ms", latency, 0.5),
            "top1": measurement("top1", "%", top1, 1.0),
        }
        store.trials.finish(
            trial_id=trial.id,
            token=trial.token or "",
            outcome=Outcome(state=State.COMPLETE, measurements=tuple(values.values()), seconds=1.0),
            values=values,
        )
    settle(store, study.id)
    broken = Outcome(state=State.INFEASIBLE, reason="params_m 150 > 130", violation=0.15)
    new = replace(proposal(3, counted=False), outcome=broken)
    store.trials.add(new, study_id=study.id, budget=9, owner=OWNER)
    running = store.trials.add(proposal(4), study_id=study.id, budget=9, owner=OWNER)
    assert running is not None
    for epoch, value in ((1, 41.5), (2, 55.25)):
        store.epochs.report(
            trial_id=running.id, token=running.token or "", epoch=epoch, name="top1", value=value
        )


def add_module(store: Store) -> None:
    """A network of another library, in no study."""
    module = Architecture(arch_id="f0", kind="module", label="timm:resnet10t", facts={"params": 5})
    store.measurements.add(module, [measurement("latency", "ms", 4.0, 0.25)])


if __name__ == "__main__":
    path = Path(__file__).with_name(f"schema-{REVISIONS[-1]}.db")
    if path.exists():
        raise SystemExit(f"{path} is there already, and is never changed")
    with open_store(str(path)) as store:
        fill(store)
        add_module(store)
