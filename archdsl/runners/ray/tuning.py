"""Ray Tune in the service of a search: it asks the dispatcher what to run and whether to go on."""

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
from archdsl.runners.evaluation import one_line
from archdsl.runners.interfaces import RunnerError
from archdsl.runners.ray.dispatcher import Dispatcher
from archdsl.runners.threaded_slot import ErrorEvent, OutcomeEvent


def tune_all(trainable: Any, *, dispatcher: Dispatcher, resources: Mapping[str, float]) -> None:
    """Run what the dispatcher gives out until it has no more.

    Args:
        trainable: made of `CandidateTrainable`.
        dispatcher: between Tune and the search.
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
                search_alg=_Proposer(dispatcher),
                scheduler=_Scheduler(dispatcher),
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, stop=_Stopper(dispatcher), verbose=0),
        )
        with redirect_stdout(sys.stderr):
            try:
                tuner.fit()
            except Exception as error:
                dispatcher.error = dispatcher.error or RunnerError(
                    f"Ray Tune failed: {one_line(error)}"
                )
    if dispatcher.error is not None:
        raise dispatcher.error


class _Proposer(Searcher):
    """Hands the dispatcher's jobs to Tune."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        job = self._dispatcher.give(trial_id)
        if job is not None:
            return {"job": job}
        return Searcher.FINISHED if self._dispatcher.finished else None

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """The scheduler has told the dispatcher."""

    def save(self, checkpoint_path: str) -> None:
        """What Tune keeps is never read."""

    def restore(self, checkpoint_path: str) -> None:
        """See `save`."""


class _Scheduler(FIFOScheduler):
    """Passes on what trials tell, and stops those that the search has stopped."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if self._dispatcher.take(trial.trial_id, result["event"]):
            return str(TrialScheduler.CONTINUE)
        return str(TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if isinstance(result["event"], OutcomeEvent | ErrorEvent):
            self._dispatcher.take(trial.trial_id, result["event"])
        else:
            self._dispatcher.stop(trial.trial_id, seconds=result["time_total_s"])

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        error = trial.get_pickled_error()
        reason = one_line(error) if error is not None else "its process ended"
        if isinstance(error, OutOfMemoryError):
            outcome = Outcome(state=State.OUT_OF_MEMORY, reason=reason)
            self._dispatcher.take(trial.trial_id, OutcomeEvent(outcome=outcome))
        else:
            self._dispatcher.lose(trial.trial_id, reason)

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """Pending trials are started in their order anyway; looking for one reads them all."""


class _Stopper(tune.Stopper):
    """Ends everything once the search has failed."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._dispatcher.error is not None
