"""The main loop of the child process in which candidates are evaluated.

Messages over the pipe are tuples whose first item is a word:

    parent to child                          child to parent
    ("prepare", config)                      ("done", protocols) | ("refused", error)
    ("check", job)                           ("done", sentences) | ("refused", error)
    ("evaluate", job, quantities, bounds)    ("measured", measurement)*,
                                                 ("waited", seconds, words)*,
                                                 ("report", epoch, name, value)*,
                                                 ("done", outcome) | ("refused", error)
    ("go_on", reason | None)                 what answers each report: why to stop now, if so
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from archdsl.device_lock import report_waits
from archdsl.errors import ArchdslError
from archdsl.records import Measurement
from archdsl.runners.evaluation import InProcess
from archdsl.runners.memory_preflight import make_preflight


def serve(connection: Connection) -> NoReturn:
    """Answer the parent's messages until it closes the pipe or dies, which ends this process."""
    worker = InProcess([])

    def report(name: str, epoch: int, value: float) -> str | None:
        connection.send(("report", epoch, name, value))
        _, reason = pickle.loads(messages.get())
        stop: str | None = reason
        return stop

    def measured(measurement: Measurement) -> None:
        connection.send(("measured", measurement))

    def waited(seconds: float, words: str) -> None:
        connection.send(("waited", seconds, words))

    def answer(message: tuple[Any, ...]) -> Any:
        nonlocal worker
        match message:
            case ("prepare", config):
                worker = InProcess(
                    config.make(config.evaluate, config.profile),
                    preflight=make_preflight(config.evaluate, config.profile),
                )
                return worker.protocols
            case ("check", job):
                return worker.check(job)
            case ("evaluate", job, quantities, bounds):
                with report_waits(waited):
                    return worker.evaluate(
                        job, quantities=quantities, bounds=bounds, report=report, measured=measured
                    )

    messages = _received(connection)
    while True:
        try:
            answered = ("done", answer(pickle.loads(messages.get())))
        except ArchdslError as error:
            answered = ("refused", error)
        connection.send(answered)


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
