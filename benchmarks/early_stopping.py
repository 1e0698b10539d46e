"""What early stopping saves, and what it costs: rules replayed over recorded learning curves.

Recording trains every candidate to its end. A replay then takes the same candidates in many random
orders, one at a time, and asks the rules of the package after each epoch. The curves that lie
beside this script were recorded with the study `digits` and a random sampler.

    python benchmarks/early_stopping.py --replay benchmarks/digits-curves.json --orders 200
    python benchmarks/early_stopping.py --record curves.json --trials 120
    python benchmarks/early_stopping.py --live benchmarks/digits-curves.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archdsl.analysis.hypervolume import hypervolume
from archdsl.metrics import METRICS, Direction
from archdsl.records import Job, Outcome, State
from archdsl.runners.read import read_profile
from archdsl.searching.read import CheckedStudy, read_study
from archdsl.searching.run import run_search, watched_by
from archdsl.searching.stopping import AshaStopping, FrontStopping, Outlook, beaten_by
from archdsl.store.store import open_store

DIRECTIONS: dict[str, Direction] = {"latency": "minimize", "top1": "maximize"}
TRIALS = 120
ORDERS = 200


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One candidate: its identity, latency in ms, and top-1 in percent after each epoch."""

    arch_id: str
    latency: float
    curve: tuple[float, ...]

    @property
    def values(self) -> dict[str, float]:
        return {"latency": self.latency, "top1": self.curve[-1]}


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What became of the candidates: how long each was trained, and which were stopped."""

    epochs: int
    complete: Sequence[Candidate]
    stopped: Sequence[Candidate]


Replay = Callable[[Sequence[Candidate]], Replayed]


def replay_front(candidates: Sequence[Candidate], rule: FrontStopping) -> Replayed:
    """The candidates in this order, under the rule of two objectives."""
    whole = len(candidates[0].curve)
    outlook, epochs = Outlook(epochs=whole, best=METRICS["top1"].best), 0
    complete: list[Candidate] = []
    stopped: list[Candidate] = []
    for candidate in candidates:
        rivals = {number: each.values for number, each in enumerate(complete)}
        for epoch in range(1, whole + 1):
            hoped = outlook.optimistic(candidate.curve[:epoch])
            if (
                rule.earliest <= epoch < whole
                and hoped is not None
                and beaten_by(
                    {"latency": candidate.latency, "top1": hoped},
                    rivals,
                    metric="top1",
                    directions=DIRECTIONS,
                    margin=rule.margin,
                )
                is not None
            ):
                stopped.append(candidate)
                break
        else:
            complete.append(candidate)
            outlook.add(candidate.curve)
        epochs += epoch
    return Replayed(epochs=epochs, complete=complete, stopped=stopped)


def replay_asha(candidates: Sequence[Candidate], rule: AshaStopping) -> Replayed:
    """The candidates in this order, ranked by top-1 alone."""
    whole, epochs = len(candidates[0].curve), 0
    at_rungs: dict[int, list[float]] = {e: [] for e in range(1, whole) if rule.is_rung(e)}
    complete: list[Candidate] = []
    stopped: list[Candidate] = []
    for candidate in candidates:
        for epoch, value in enumerate(candidate.curve, start=1):
            if epoch not in at_rungs:
                continue
            at_rungs[epoch].append(value)
            if not rule.keeps(value, at_rungs[epoch]):
                stopped.append(candidate)
                break
        else:
            complete.append(candidate)
        epochs += epoch
    return Replayed(epochs=epochs, complete=complete, stopped=stopped)


def front_of(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other beats."""

    def beats(one: Candidate, other: Candidate) -> bool:
        no_worse = one.latency <= other.latency and one.curve[-1] >= other.curve[-1]
        return no_worse and one.values != other.values

    return [each for each in candidates if not any(beats(other, each) for other in candidates)]


def volume(candidates: Sequence[Candidate], corner: tuple[float, float]) -> float:
    """The hypervolume, in ms times points, from a worst latency and top-1."""
    points = [(each.latency, -each.curve[-1]) for each in candidates]
    return hypervolume(points, (corner[0], -corner[1]))


def corners(recorded: Sequence[Candidate]) -> dict[str, tuple[float, float]]:
    """Where the hypervolume may be measured from: a latency in ms and a top-1 in percent.

    The first is what fair comparisons take: the worst values on the front, moved outwards by a
    tenth of its extent (Ishibuchi et al., "How to specify a reference point in hypervolume
    calculation for fair performance comparison", Evolutionary Computation 26, 2018). The second is
    what `archdsl front` takes where a study states none: the base, the first one recorded. The
    third gives the more weight to the ends, the worse the worst candidate happens to be.
    """
    front = front_of(recorded)
    slow, fast = (how(each.latency for each in front) for how in (max, min))
    worst, best = (how(each.curve[-1] for each in front) for how in (min, max))
    return {
        "beyond the front": (slow + (slow - fast) / 10, worst - (best - worst) / 10),
        "the base": (recorded[0].latency, recorded[0].curve[-1]),
        "the worst of all": (
            max(each.latency for each in recorded),
            min(each.curve[-1] for each in recorded),
        ),
    }


def judged(replayed: Replayed, recorded: Sequence[Candidate]) -> dict[str, float]:
    """What a replay saved and lost, as shares; the first of those recorded is the base."""
    front = front_of(recorded)
    members = [each for each in replayed.stopped if each in front]
    wrong = [each for each in replayed.stopped if each in front_of([*replayed.complete, each])]
    return {
        "epochs saved": 1 - replayed.epochs / sum(len(each.curve) for each in recorded),
        **{
            f"hypervolume from {name}": volume(replayed.complete, corner) / volume(recorded, corner)
            for name, corner in corners(recorded).items()
        },
        "front members stopped": len(members) / len(front),
        "trials stopped": len(replayed.stopped) / len(recorded),
        "of these, by mistake": len(wrong) / max(1, len(replayed.stopped)),
    }


def replays(
    recorded: Sequence[Candidate], replay: Replay, *, orders: int
) -> list[dict[str, float]]:
    """What a rule came to in so many random orders."""
    found = []
    for seed in range(orders):
        shuffled = list(recorded)
        random.Random(seed).shuffle(shuffled)
        found.append(judged(replay(shuffled), recorded))
    return found


def print_replays(recorded: Sequence[Candidate], rules: dict[str, Replay], *, orders: int) -> None:
    """A table for each rule: over the orders, the mean, the median and the unlucky end."""
    whole, members = len(recorded[0].curve), len(front_of(recorded))
    print(f"{len(recorded)} candidates of {whole} epochs, {members} on the front; {orders} orders")
    for name, replay in rules.items():
        rows = replays(recorded, replay, orders=orders)
        print(f"\n{name:<34} {'mean':>8} {'median':>8} {'5 %':>8} {'95 %':>8}")
        for what in rows[0]:
            values = sorted(row[what] for row in rows)
            low, high = values[int(0.05 * orders)], values[min(int(0.95 * orders), orders - 1)]
            shown = (statistics.fmean(values), statistics.median(values), low, high)
            print(f"{what:<34} " + " ".join(f"{value:8.3f}" for value in shown))


class Watch:
    """Prints what ends."""

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None:
        print(f"trial {job.number}: {outcome.state.value} {outcome.reason or ''}", flush=True)


def study(*sets: str) -> CheckedStudy:
    """The study of handwritten digits, its candidates drawn at random."""
    return read_study("digits", ["sampler.type=random", *sets])


def search(checked: CheckedStudy, db: Path) -> tuple[list[Candidate], list[Candidate]]:
    """Search in the current folder; the complete candidates and the stopped ones, by number."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the process that trains
    found: dict[State, list[Candidate]] = {State.COMPLETE: [], State.STOPPED: []}
    profile = read_profile("local", [f"storage={db.with_suffix('')}-files"])
    watch = watched_by(Watch())
    row = run_search(checked, db=str(db), profile=profile, observe=watch).row
    with open_store(str(db)) as store:
        for trial in store.trials.all(row.id):
            measured = {
                each.quantity: each.value for each in store.measurements.of_arch(trial.arch_id)
            }
            if trial.state in found:
                curve = tuple(each.value for each in store.epochs.of_trial(trial.id))
                candidate = Candidate(
                    arch_id=trial.arch_id, latency=measured["latency"], curve=curve
                )
                found[trial.state].append(candidate)
    return found[State.COMPLETE], found[State.STOPPED]


def record(path: Path, *, trials: int, db: Path) -> None:
    """Train candidates to their end and write down how; the same command goes on where it was."""
    complete, _ = search(study(f"budget.trials={trials}", "name=digits-curves"), db)
    rows = [
        json.dumps(
            {
                "arch_id": each.arch_id,
                "latency": round(each.latency, 4),
                "top1": [round(value, 4) for value in each.curve],
            }
        )
        for each in complete
    ]
    machine = json.dumps(f"{platform.system()} {platform.machine()}, one thread")
    lines = ",\n    ".join(rows)
    path.write_text(
        f'{{\n  "study": "digits", "sampler": "random", "machine": {machine},\n'
        f'  "candidates": [\n    {lines}\n  ]\n}}\n'
    )


def read(path: Path) -> list[Candidate]:
    """What was recorded, the base first."""
    rows: list[dict[str, Any]] = json.loads(path.read_text())["candidates"]
    return [
        Candidate(arch_id=row["arch_id"], latency=row["latency"], curve=tuple(row["top1"]))
        for row in rows
    ]


def live(recorded: Sequence[Candidate], rule: FrontStopping, *, db: Path) -> None:
    """The same candidates searched anew with the rule, judged by the values recorded of them; the
    same command goes on where it was."""
    known = {each.arch_id: each for each in recorded}
    checked = study(
        f"budget.trials={len(recorded)}",
        "name=digits-stopped",
        f"stopping={{type: front, margin: {rule.margin}, earliest: {rule.earliest}}}",
    )
    complete, stopped = search(checked, db)
    met = [each for each in (*complete, *stopped) if each.arch_id in known]
    apart = [
        abs(now - then)
        for each in met
        for now, then in zip(each.curve, known[each.arch_id].curve, strict=False)
    ]
    replayed = Replayed(
        epochs=sum(len(each.curve) for each in (*complete, *stopped)),
        complete=[known[each.arch_id] for each in complete if each.arch_id in known],
        stopped=[known[each.arch_id] for each in stopped if each.arch_id in known],
    )
    print(
        f"{len(met)} of {len(recorded)} candidates met again; top1 {max(apart):.2f} apart at most"
    )
    for what, value in judged(replayed, recorded).items():
        print(f"{what:<34} {value:8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--record", type=Path, metavar="FILE")
    what.add_argument("--replay", type=Path, metavar="FILE")
    what.add_argument("--live", type=Path, metavar="FILE")
    parser.add_argument("--trials", type=int, default=TRIALS, help="to record or search")
    parser.add_argument("--db", type=Path, default=Path("early-stopping.db"), help="to search into")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--margin", type=float, default=FrontStopping(type="front").margin)
    parser.add_argument("--earliest", type=int, default=FrontStopping(type="front").earliest)
    asked = parser.parse_args()
    rule = FrontStopping(type="front", margin=asked.margin, earliest=asked.earliest)
    asha = AshaStopping(type="asha")
    if asked.record:
        record(asked.record, trials=asked.trials, db=asked.db)
    elif asked.live:
        live(read(asked.live)[: asked.trials], rule, db=asked.db)
    else:
        rules: dict[str, Replay] = {
            f"front, margin {rule.margin:g}": lambda order: replay_front(order, rule),
            f"asha, 1/{asha.reduction}": lambda order: replay_asha(order, asha),
        }
        print_replays(read(asked.replay), rules, orders=asked.orders)


if __name__ == "__main__":
    main()
