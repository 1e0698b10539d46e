"""From a run profile to its runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.measuring.evaluators import make_evaluators
from archdsl.runners.child import MakeEvaluators, WorkerConfig
from archdsl.runners.interfaces import Bound, Runner, RunnerError
from archdsl.runners.local import LocalRunner
from archdsl.runners.profile import LocalProfile, RayProfile, RunProfile
from archdsl.runners.slot import WorkerSlot


def make_runner(
    profile: RunProfile,
    *,
    evaluate: Mapping[str, Mapping[str, Any]],
    bounds: Sequence[Bound] = (),
    make: MakeEvaluators = make_evaluators,
) -> Runner:
    """The runner of a profile; nothing is started before it is asked for something.

    Args:
        profile: where candidates run.
        evaluate: the study's `evaluate`: quantity to settings.
        bounds: the study's constraints on measured quantities.
        make: makes the evaluators; a function at the top of a module.

    Raises:
        RunnerError: the profile needs a package that is not installed.
    """
    config = WorkerConfig(evaluate=dict(evaluate), profile=profile, bounds=tuple(bounds), make=make)
    if isinstance(profile, RayProfile):
        try:
            from archdsl.runners.ray.runner import RayRunner
        except ImportError as error:
            raise RunnerError(
                f"the run profile '{profile.name}' needs Ray Tune, which cannot be imported "
                f"({str(error).splitlines()[0]}): pip install 'archdsl[ray]'"
            ) from None
        return RayRunner(config, profile=profile)
    workers = profile.workers if isinstance(profile, LocalProfile) else 1
    return LocalRunner([WorkerSlot(config) for _ in range(workers)])
