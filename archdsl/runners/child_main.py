"""The main loop of the child process in which candidates are evaluated.

Messages over the pipe are tuples whose first item is a word:

    parent to child                          child to parent
    ("prepare", make, evaluate, profile)     ("prepared", protocols) | ("refused", error)
    ("check", job)                               ("checked", None) | ("refused", error)
    ("evaluate", job, quantities, bounds)    ("measured", measurement)*, ("waited", seconds)*,
                                                 ("report", epoch, name, value)*,
                                                 ("outcome", outcome) | ("refused", error)
    ("go_on", reason | None)                     what answers each report: why to stop now, if so
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import NoReturn

from archdsl.device_lock import DeviceLockError, report_waits
from archdsl.errors import ArchdslError, WriteError
from archdsl.measuring.evaluators import Evaluator
from archdsl.records import Measurement
from archdsl.runners.errors import packed
from archdsl.runners.evaluation import evaluate_job
from archdsl.runners.memory_preflight import Preflight, make_preflight


def serve(connection: Connection) -> NoReturn:
    """Answer the parent's messages until it closes the pipe or dies, which ends this process."""
    evaluators: Mapping[str, Evaluator] = {}
    preflight: Preflight | None = None

    def report(name: str, epoch: int, value: float) -> str | None:
        connection.send(("report", epoch, name, value))
        _, reason = pickle.loads(messages.get())
        stop: str | None = reason
        return stop

    def measured(measurement: Measurement) -> None:
        connection.send(("measured", measurement))

    def waited(seconds: float) -> None:
        connection.send(("waited", seconds))

    messages = _received(connection)
    while True:
        match pickle.loads(messages.get()):
            case ("prepare", make, evaluate, profile):
                try:
                    evaluators = {e.quantity: e for e in make(evaluate, profile)}
                    protocols = {name: dict(e.protocol()) for name, e in evaluators.items()}
                    preflight = make_preflight(evaluate, profile)
                    connection.send(("prepared", protocols))
                except ArchdslError as error:
                    connection.send(("refused", packed(error)))
            case ("check", job):
                try:
                    for evaluator in evaluators.values():
                        evaluator.check(job)
                    connection.send(("checked", None))
                except ArchdslError as error:
                    connection.send(("refused", packed(error)))
            case ("evaluate", job, quantities, bounds):
                chosen = [evaluators[name] for name in quantities]
                try:
                    with report_waits(waited):
                        outcome = evaluate_job(
                            job,
                            chosen,
                            bounds=bounds,
                            report=report,
                            measured=measured,
                            preflight=preflight,
                        )
                    connection.send(("outcome", outcome))
                except (WriteError, DeviceLockError) as error:
                    connection.send(("refused", packed(error)))


def _received(connection: Connection) -> queue.SimpleQueue[bytes]:
    """Messages, read by a thread: it notices the parent's death in the midst of a training, too."""
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                messages.put(connection.recv_bytes())
        except (EOFError, OSError):
            # The child leads its own group: this ends the data loaders it started, too.
            os.killpg(os.getpid(), signal.SIGKILL)

    threading.Thread(target=read, name="parent", daemon=True).start()
    return messages


def main(pipe: int) -> NoReturn:
    """Entry of the child process; `pipe` is its end of the pipe to the parent."""
    # Ctrl-C is the parent's to answer: it ends this process when it gives up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints must not mix with the parent's answers on standard output.
    os.dup2(2, 1)
    serve(Connection(pipe))
