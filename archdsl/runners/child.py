"""The parent's handle on the child process that evaluates candidates.

The child is started as a fresh interpreter (a fork would inherit torch's threads in an unusable
state) that imports the worker alone: the program's main module is not run a second time. It leads
a process group of its own, so that ending it ends its data loaders too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from typing import Any

from archdsl.device_lock import tell_wait
from archdsl.errors import MeasureError
from archdsl.measuring.evaluators import Evaluator
from archdsl.records import Job, Outcome, State
from archdsl.runners.evaluation import (
    OnMeasurement,
    OnReport,
    ignore_measurement,
    ignore_report,
)
from archdsl.runners.interfaces import Bound
from archdsl.runners.profile import RunProfile

MakeEvaluators = Callable[[Mapping[str, Mapping[str, Any]], RunProfile], Sequence[Evaluator]]
"""Makes the evaluators of a study; a function at the top of a module, for it is sent by name."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from archdsl.runners.child_main import main; main(int(sys.argv[2]))"
)
_LOOK_SECONDS = 0.2
"""How often the process itself is looked at: its data loaders can keep a dead child's pipe open."""
_EXIT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What every worker of a study is told.

    Args:
        evaluate: the study's `evaluate`: quantity to settings.
        profile: the run profile.
        bounds: the study's constraints on measured quantities.
        make: makes the evaluators.
    """

    evaluate: Mapping[str, Mapping[str, Any]]
    profile: RunProfile
    bounds: Sequence[Bound]
    make: MakeEvaluators


class ChildDied(Exception):
    """The child process ended by itself; says how."""


class NotReadyError(MeasureError):
    """The child process ended before it could evaluate anything."""


class ChildTimedOut(Exception):
    """The child process did not answer in time."""


class Child:
    """One child process with its evaluators made.

    Args:
        config: the evaluators are made in the child.

    Raises:
        ArchdslError: whatever error of a user's the making of the evaluators met.
        NotReadyError: the process died in the midst of it.
    """

    protocols: Mapping[str, Mapping[str, Any]]
    """Quantity to protocol of each evaluator."""

    def __init__(self, config: WorkerConfig) -> None:
        self._time_limit_s = config.profile.time_limit_s
        self._connection, theirs = Pipe()
        with theirs:
            paths = json.dumps([str(path) for path in sys.path])
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, paths, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            self.protocols = self._made_ready(("prepare", config))
        except BaseException:
            self.end()
            raise

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.returncode is not None

    def check(self, job: Job) -> Sequence[str]:
        """Refuse a candidate that can never be measured; see `Runner.check`.

        Raises:
            ArchdslError: why it cannot.
        """
        said: Sequence[str] = self._made_ready(("check", job))
        return said

    def _made_ready(self, message: tuple[Any, ...]) -> Any:
        """The answer to a message before any evaluation: no candidate can be blamed for a death."""
        try:
            return self._answer(message)
        except ChildDied as death:
            raise NotReadyError(
                f"the worker process ended while it was made ready: {death}; what it wrote to "
                "standard error tells more"
            ) from None

    def evaluate(
        self,
        job: Job,
        *,
        quantities: Sequence[str],
        bounds: Sequence[Bound] = (),
        report: OnReport = ignore_report,
        measured: OnMeasurement = ignore_measurement,
    ) -> Outcome:
        """The outcome of a job. A process that died, overran its time or its memory is ended.

        The time it waits for another process to let go of a device is not counted.

        Raises:
            WriteError: weights cannot be stored.
            DeviceLockError: another process does not let go of the device.
        """
        started = time.monotonic()
        limit_s = self._time_limit_s
        try:
            outcome: Outcome = self._answer(
                ("evaluate", job, tuple(quantities), tuple(bounds)),
                deadline=None if limit_s is None else started + limit_s,
                report=report,
                measured=measured,
            )
        except ChildTimedOut:
            state, reason = (
                State.TIMED_OUT,
                f"not done within the run profile's time_limit of {limit_s:g} s",
            )
        except ChildDied as death:
            state, reason = State.CRASHED, f"the worker process ended: {death}"
        except BaseException:
            self.end()
            raise
        else:
            if outcome.state is State.OUT_OF_MEMORY:
                self.end()  # what is left of its memory is in pieces
            return outcome
        self.end()
        return Outcome(state=state, reason=reason, seconds=time.monotonic() - started)

    def end(self) -> None:
        """Kill the process and all it started; harmless when it is gone."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    def _answer(
        self,
        message: tuple[Any, ...],
        *,
        deadline: float | None = None,
        report: OnReport = ignore_report,
        measured: OnMeasurement = ignore_measurement,
    ) -> Any:
        """The answer to a message, and on the way there whatever else the child tells.

        Raises:
            ArchdslError: what the child refuses.
        """
        self._send(message)
        while True:
            match self._receive(deadline=deadline):
                case ("done", answer):
                    return answer
                case ("refused", error):
                    raise error
                case ("waited", seconds, words):
                    deadline = None if deadline is None else deadline + seconds
                    if words:
                        tell_wait(words)
                case ("measured", measurement):
                    measured(measurement)
                case ("report", epoch, name, value):
                    self._send(("go_on", report(name, epoch, value)))

    def _send(self, message: tuple[Any, ...]) -> None:
        try:
            self._connection.send(message)
        except ConnectionError:
            raise ChildDied(self._how_it_ended()) from None

    def _receive(self, *, deadline: float | None) -> Any:
        """The next message.

        Raises:
            ChildDied: there will be none.
            ChildTimedOut: none came before `deadline` (on the monotonic clock).
        """
        while True:
            left = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            try:
                if self._connection.poll(max(min(left, _LOOK_SECONDS), 0.0)):
                    return self._connection.recv()
            except (EOFError, ConnectionError):
                raise ChildDied(self._how_it_ended()) from None
            if self._process.poll() is not None and not self._connection.poll():
                raise ChildDied(self._how_it_ended())
            if left <= 0:
                raise ChildTimedOut

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(timeout=_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        if status >= 0:
            return f"exit status {status}"
        name = _signal_name(-status)
        return f"{name} (perhaps the system ran out of memory)" if name == "SIGKILL" else name


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
