"""Ray Tune in the service of a search: it asks the desk what to run and whether to go on."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

from ray import tune
from ray.exceptions import OutOfMemoryError
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from archdsl.records import Outcome, State
from archdsl.runners.errors import RunnerError
from archdsl.runners.evaluation import one_line
from archdsl.runners.ray.dispatcher import Dispatcher
from archdsl.runners.ray.slot import Refused
from archdsl.runners.threaded_slot import Ended


def tune_all(trainable: Any, *, desk: Dispatcher, resources: Mapping[str, float]) -> None:
    """Run what the desk gives out until it has no more.

    Args:
        trainable: made of `Candidate`.
        desk: between Tune and the search.
        resources: what one trial holds.

    Raises:
        Exception: what the search raised.
        RunnerError: Tune itself failed.
    """
    held = tune.with_resources(trainable, tune.PlacementGroupFactory([dict(resources)]))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tuner = tune.Tuner(
            held,
            tune_config=tune.TuneConfig(
                search_alg=_Proposer(desk),
                scheduler=_Judge(desk),
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, stop=_Ending(desk), verbose=0),
        )
        with redirect_stdout(sys.stderr):
            try:
                tuner.fit()
            except Exception as error:
                desk.error = desk.error or RunnerError(f"Ray Tune failed: {one_line(error)}")
    if desk.error is not None:
        raise desk.error


class _Proposer(Searcher):
    """Hands the desk's jobs to Tune."""

    def __init__(self, desk: Dispatcher) -> None:
        super().__init__()
        self._desk = desk

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        job = self._desk.give(trial_id)
        if job is not None:
            return {"job": job}
        return Searcher.FINISHED if self._desk.finished else None

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """The judge has told the desk."""

    def save(self, checkpoint_path: str) -> None:
        """What Tune keeps is never read."""

    def restore(self, checkpoint_path: str) -> None:
        """See `save`."""


class _Judge(FIFOScheduler):
    """Passes on what trials tell, and stops those that the search has stopped."""

    def __init__(self, desk: Dispatcher) -> None:
        super().__init__()
        self._desk = desk

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if self._desk.take(trial.trial_id, result["told"]):
            return str(TrialScheduler.CONTINUE)
        return str(TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if isinstance(result["told"], Ended | Refused):
            self._desk.take(trial.trial_id, result["told"])
        else:
            self._desk.stop(trial.trial_id, seconds=result["time_total_s"])

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        error = trial.get_pickled_error()
        reason = one_line(error) if error is not None else "its process ended"
        if isinstance(error, OutOfMemoryError):
            outcome = Outcome(state=State.OUT_OF_MEMORY, reason=reason)
            self._desk.take(trial.trial_id, Ended(outcome=outcome))
        else:
            self._desk.lose(trial.trial_id, reason)

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """Pending trials are started in their order anyway; looking for one reads them all."""


class _Ending(tune.Stopper):
    """Ends everything once the search has failed."""

    def __init__(self, desk: Dispatcher) -> None:
        self._desk = desk

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._desk.error is not None
