"""The processes of a cluster that evaluate candidates: places that are asked, and Tune's trials."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray import tune
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayError

from archdsl.records import Job, Outcome, State
from archdsl.runners.evaluation import one_line
from archdsl.runners.interfaces import RunnerError
from archdsl.runners.ray.resources import Machine
from archdsl.runners.ray.slot import Protocols, RaySlot, SlotConfig
from archdsl.runners.ray.survey import on
from archdsl.runners.threaded_slot import ErrorEvent, OutcomeEvent

WAIT_SECONDS = 600.0
"""For a place that another search holds: as long as for a lock."""
BUSY_SECONDS = 30.0
"""A machine that has no place free by then is left to those that hold it: whatever is evaluated
there later is checked then."""
RESTARTS = 100
"""Of a place that lasts, for one search: a machine comes and goes, but not as often as that."""
REPEATS = 1
"""Of what a lasting place was asked when it died. Others had asked for something, too, and are no
more its cause; what is so twice is a death of its worker to `RepeatingSource`."""


class CandidateTrainable(tune.Trainable):
    """One slot for trainings; each of Tune's trials in it is one candidate.

    A step ends with the next thing that is to be told. Tune asks for the next step only after the
    search has committed it, so that no training runs ahead of what is stored.
    """

    def setup(
        self, config: dict[str, Any], *, slot_config: SlotConfig, lane: Any, expected: Protocols
    ) -> None:
        def on_lane(job: Job) -> Outcome:
            try:
                event: OutcomeEvent = unwrapped(ray.get(lane.measure.remote(job, expected)))
            except ActorUnavailableError as error:
                reason = f"the latency lane's process was lost: {one_line(error)}"
                return Outcome(state=State.CRASHED, reason=reason)
            except ActorDiedError as error:
                raise RunnerError(
                    f"the latency lane's process was lost {RESTARTS + 1} times, last: "
                    f"{one_line(error)}; mend what ends it, then run the same command again"
                ) from None
            return event.outcome

        self._slot = RaySlot(slot_config, here=_here, lane=None if lane is None else on_lane)
        self._slot.prepare(expected)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._slot.begin(new_config["job"])
        self.config: dict[str, Any] = {}  # else each result brings it back
        return True

    def step(self) -> dict[str, Any]:
        event = self._slot.next()
        return {"event": event, "done": isinstance(event, OutcomeEvent | ErrorEvent)}

    def cleanup(self) -> None:
        self._slot.end()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Trainings keep their own, where the run profile says."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """See `save_checkpoint`."""


def slot_actor(
    config: SlotConfig,
    resources: Mapping[str, float],
    *,
    machine: Machine | None = None,
    lasting: bool = False,
) -> Any:
    """The handle of a new actor: a `RaySlot` that holds resources, for whoever asks.

    Args:
        config: what it measures.
        resources: what it holds.
        machine: where; anywhere if None.
        lasting: whether it is started anew wherever its resources are, when its machine is lost.
    """
    held = dict(resources)
    words: dict[str, Any] = {
        "num_cpus": held.pop("CPU", 0),
        "num_gpus": held.pop("GPU", 0),
        "resources": held,
    }
    if machine is not None:
        words["scheduling_strategy"] = on(machine)
    if lasting:
        words |= {"max_restarts": RESTARTS, "max_task_retries": REPEATS}
    return ray.remote(RaySlot).options(**words).remote(config, here=_here)


def ready(places: Sequence[Any]) -> list[Any]:
    """Those of some places that are free; the others are given up.

    Raises:
        RunnerError: all are held by others, or lost.
    """
    asked = {each.__ray_ready__.remote(): each for each in places}
    ray.wait(list(asked), num_returns=1, timeout=WAIT_SECONDS)
    done, held = ray.wait(list(asked), num_returns=len(asked), timeout=BUSY_SECONDS)
    for each in held:
        ray.kill(asked[each])
    free = [asked[each] for each in done if not _is_lost(each)]
    if not free:
        raise RunnerError(
            f"waited {WAIT_SECONDS:.0f} s for a place on the cluster; others hold what the run "
            "profile asks for: wait until they are done, then run the same command again"
        )
    return free


def prepared(places: Sequence[Any], expected: Protocols | None = None) -> list[Protocols]:
    """The protocols of places, which get ready side by side.

    Raises:
        RunnerError: a machine is lost meanwhile.
        ArchdslError: what a place cannot measure.
    """
    try:
        answers = ray.get([each.prepare.remote(expected) for each in places])
    except RayError as error:
        raise RunnerError(
            f"a machine of the cluster was lost while it got ready ({one_line(error)}); run the "
            "same command again"
        ) from None
    return [unwrapped(answer) for answer in answers]


def unwrapped(answer: Any) -> Any:
    """An answer of a place.

    Raises:
        ArchdslError: what it refuses.
    """
    if isinstance(answer, ErrorEvent):
        raise answer.error
    return answer


def _is_lost(answer: Any) -> bool:
    try:
        ray.get(answer)
    except RayError:
        return True
    return False


def _here() -> dict[str, str]:
    return {"name": platform.node(), "id": ray.get_runtime_context().get_node_id()}
