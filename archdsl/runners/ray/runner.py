"""Candidates on a cluster, or on this machine as one: Ray Tune runs them in reused actors.

Tune asks for trials and is told whether one may go on; both are answered by the search itself, in
the driver's process and thread, after it has committed what was told. Whatever Tune keeps is thrown
away: a search is resumed from its own database.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError

from archdsl.metrics import TRAINED, trained_for
from archdsl.records import Job, Outcome, State
from archdsl.runners.child import WorkerConfig
from archdsl.runners.evaluation import one_line
from archdsl.runners.interfaces import JobSource, RunnerError
from archdsl.runners.profile import RayProfile
from archdsl.runners.ray.actors import CandidateTrainable, prepared, ready, slot_actor, unwrapped
from archdsl.runners.ray.connect import connect, leave
from archdsl.runners.ray.dispatcher import Dispatcher
from archdsl.runners.ray.processes import RayProcesses
from archdsl.runners.ray.resources import (
    Machine,
    check_machines,
    check_room,
    lane_resources,
    slot_resources,
    slots,
)
from archdsl.runners.ray.slot import SlotConfig
from archdsl.runners.ray.survey import look_at, machines
from archdsl.runners.ray.tuning import tune_all
from archdsl.runners.repeating import repeated
from archdsl.runners.slot import refuse_unmeasured
from archdsl.runners.threaded_slot import OutcomeEvent
from archdsl.version import __version__

ROOM_SECONDS = 2.0
"""How old the count of slots may be: machines come and go."""


class RayRunner:
    """Runs candidates with Ray Tune.

    With a latency lane, all but trainings is measured by one actor that holds the lane; without,
    each slot measures its own candidates.

    Args:
        config: what the study measures.
        profile: the run profile.
    """

    def __init__(self, config: WorkerConfig, *, profile: RayProfile) -> None:
        self._config, self._profile = config, profile
        self._slot_holds = slot_resources(profile.training)
        self._connected = False
        self._processes: RayProcesses | None = None
        self._lane: Any = None
        self._slot: Any = None
        self._lane_protocols: dict[str, Mapping[str, Any]] = {}
        self._slot_protocols: dict[str, Mapping[str, Any]] = {}
        self._room = (-ROOM_SECONDS, 0)

    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """Quantity to protocol of each evaluator; see `Runner.protocols`.

        Raises:
            RunnerError: the cluster is not there, or not as the profile says.
        """
        self._join()
        return {**self._lane_protocols, **self._slot_protocols}

    def check(self, job: Job) -> Sequence[str]:
        """Refuse a candidate that can never be measured; see `Runner.check`."""
        self._join()
        with self._on_ray():
            places = [each for each in (self._lane, self._any_slot()) if each is not None]
            return [said for each in places for said in unwrapped(ray.get(each.check.remote(job)))]

    def run(self, source: JobSource) -> None:
        """Evaluate jobs until the source has no more; see `Runner.run`."""
        self._join()
        self._free_slot()
        trainable = tune.with_parameters(
            CandidateTrainable,
            slot_config=self._slot_config(on_lane=False),
            lane=self._lane,
            expected=self.protocols(),
        )
        with self._on_ray():
            tune_all(
                trainable,
                dispatcher=Dispatcher(source, room=self._slots_now),
                resources=self._slot_holds,
            )

    def score(self, jobs: Sequence[Job], quantity: str) -> Iterator[tuple[Job, Outcome]]:
        """Measure one quantity of each job; see `Runner.score`."""
        refuse_unmeasured(quantity, self.protocols())
        for job in jobs:
            with self._on_ray():
                outcome = repeated(partial(self._score, job, quantity))
            yield job, outcome

    def _score(self, job: Job, quantity: str) -> Outcome:
        known = self.protocols()
        where = self._lane if quantity in self._lane_protocols else self._any_slot()
        try:
            event: OutcomeEvent = unwrapped(ray.get(where.measure.remote(job, known, quantity)))
        except RayError as error:
            self._slot = None
            reason = f"its machine was lost: {one_line(error)}"
            return Outcome(state=State.CRASHED, reason=reason)
        return event.outcome

    def close(self) -> None:
        """Leave the cluster; a Ray that was started here ends."""
        if self._connected:
            self._connected = False
            self._lane = self._slot = None
            leaving = nullcontext() if self._processes is None else self._processes.leaving()
            with leaving:
                leave()
            self._processes = None

    def _slot_config(self, *, on_lane: bool) -> SlotConfig:
        laned = self._profile.latency_lane is not None
        evaluate = {
            name: settings
            for name, settings in self._config.evaluate.items()
            if (laned and name not in TRAINED) is on_lane
        }
        return SlotConfig(
            worker=replace(self._config, evaluate=evaluate),
            folder=str(Path.cwd()),
            threads=os.environ.get("OMP_NUM_THREADS"),
        )

    def _join(self) -> None:
        """Connect, and refuse what is not as the profile says, before anything trains."""
        if self._connected:
            return
        connect(self._profile.address)
        self._connected = True
        self._processes = RayProcesses()
        with self._on_ray():
            self._look_round()

    def _on_ray(self) -> AbstractContextManager[None]:
        return nullcontext() if self._processes is None else self._processes.needed()

    def _look_round(self) -> None:
        found = machines()
        check_room(found, self._profile)
        room = slots(found, self._profile)
        useful = [each for each in found if room[each.id]]
        if self._profile.address is not None:
            useful = self._fit(useful)
        if self._profile.latency_lane is not None:
            holds = lane_resources(self._profile.latency_lane)
            [self._lane] = ready([slot_actor(self._slot_config(on_lane=True), holds, lasting=True)])
            self._lane_protocols = dict(prepared([self._lane])[0])
        self._prepare(useful)

    def _fit(self, found: Sequence[Machine]) -> list[Machine]:
        """The machines of a cluster that have the same code and see the storage."""
        storage = self._profile.storage
        trains = trained_for(self._config.evaluate) is not None
        looked = look_at(found, storage=storage if trains else None)
        check_machines(looked, version=__version__, storage=storage)
        return [each.machine for each in looked]

    def _prepare(self, useful: Sequence[Machine]) -> None:
        """Have each machine open its data and devices once; all must measure alike."""
        config = self._slot_config(on_lane=False)
        first, *others = ready(
            [slot_actor(config, self._slot_holds, machine=each) for each in useful]
        )
        self._slot, self._slot_protocols = first, dict(prepared([first])[0])
        prepared(others, expected=self._slot_protocols)
        for each in others:
            ray.kill(each)

    def _any_slot(self) -> Any:
        """A slot for what is not a trial; the one that was prepared, while it is free."""
        if self._slot is None:
            [self._slot] = ready([slot_actor(self._slot_config(on_lane=False), self._slot_holds)])
            prepared([self._slot], expected=self._slot_protocols)
        return self._slot

    def _free_slot(self) -> None:
        if self._slot is not None:
            ray.kill(self._slot)
            self._slot = None

    def _slots_now(self) -> int:
        looked, room = self._room
        if time.monotonic() - looked > ROOM_SECONDS:
            with suppress(RunnerError):  # the lane's machine is away; it may come back
                room = sum(slots(machines(), self._profile).values())
            self._room = (time.monotonic(), room)
        return min(room, self._profile.concurrent or room)
