"""Ray's own processes on this machine: when one dies, Ray ends the driver soon after, in its words.

Nothing raises then: what waits for Ray never returns, and the process ends. Where a raylet or the
GCS was killed that is some seconds later, and there is time to stop as after Ctrl-C. A raylet that
ends in order, as where one of its agents dies, is missed by Ray within a tenth of a second: that
is time to say what has happened, and no more.
"""

from __future__ import annotations

import _thread
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import ray

from archdsl.runners.interfaces import RunnerError

LOOK_SECONDS = 0.5
STOP_SECONDS = 4.0
"""So long the driver has to stop by itself; Ray ends it after ten or more."""
_AGENT = "Agent"
"""In the names of what a raylet cannot do without: the agents of its dashboard and environments."""
_STDERR = 2
_EXIT_CODE = 2
"""Of an error that a user can mend, as the command line has it."""
_LAST_WORD = (
    "a process of Ray's own on this machine has died (%s: killed, or out of memory?), and nothing "
    "can run without it; what is finished is stored, and the same command goes on from it"
)
_LOG = logging.getLogger(__name__)


class RayProcesses:
    """The processes of Ray's that this driver cannot do without, watched until it has left."""

    def __init__(self) -> None:
        self._closed = threading.Event()
        self._lost = ""
        self._started = psutil.Process().children()
        # Elsewhere than in the main thread nothing could be interrupted.
        if threading.current_thread() is threading.main_thread():
            watch = threading.Thread(target=self._watch, args=[_needed()], daemon=True)
            watch.start()

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """While this driver leaves Ray, which ends what was started here: that is no loss. Where
        one died before, leaving may wait for ever, so the watch goes on until it is done."""
        if not self._lost:
            self._closed.set()
        try:
            yield
        finally:
            self._closed.set()

    @contextmanager
    def needed(self) -> Iterator[None]:
        """What cannot go on without them.

        Raises:
            RunnerError: one died meanwhile.
        """
        try:
            yield
        except BaseException as error:
            if not self._lost:
                raise
            raise RunnerError(_LAST_WORD % self._lost) from error

    def _watch(self, needed: dict[str, psutil.Process]) -> None:
        while not self._closed.is_set():
            lost = _lost(needed)
            if lost and not self._closed.is_set():
                self._lost = ", ".join(lost)
                if any(_AGENT in name for name in lost):
                    self._end()
                _thread.interrupt_main()
                if not self._closed.wait(STOP_SECONDS):
                    self._end()
                return

    def _end(self) -> None:
        """End this process, which waits for Ray and cannot be interrupted, and what was started
        here: those known before, as looking for them takes longer than there may be.

        What was committed is on disk, and the claims of a process that is gone pass on.
        """
        word = f"archdsl: {_LAST_WORD % self._lost}"
        with suppress(OSError):
            ours = os.dup(_STDERR)
            os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)  # Ray's threads go on talking
            os.write(ours, f"{word}\n".encode())
        _LOG.error(word)
        for child in self._started:
            with suppress(psutil.Error):
                child.kill()
        os._exit(_EXIT_CODE)


def _needed() -> dict[str, psutil.Process]:
    """The raylet that this process is connected to, its agents, and the GCS that this process has
    started, by name."""
    here = ray.get_runtime_context().get_node_id()
    sockets = [each["RayletSocketName"] for each in ray.nodes() if each["NodeID"] == here]
    needed, agents = {}, []
    for each in psutil.process_iter(["name", "cmdline", "ppid"]):
        words = each.info["cmdline"] or [""]
        ours = each.info["ppid"] == os.getpid() and each.info["name"] == "gcs_server"
        if ours or any(word.endswith(f"={socket}") for socket in sockets for word in words[:2]):
            needed[each.info["name"]] = each
        elif _AGENT in words[0]:
            agents.append(each)
    raylets = [each.pid for each in needed.values()]
    return needed | {
        each.info["cmdline"][0]: each for each in agents if each.info["ppid"] in raylets
    }


def _lost(needed: dict[str, psutil.Process]) -> list[str]:
    """Names of those that have ended, as soon as one has; none where none does for a while."""
    if sys.platform == "linux":
        with ExitStack() as opened, suppress(ProcessLookupError):
            ended = select.poll()
            for each in needed.values():
                descriptor = os.pidfd_open(each.pid)
                opened.callback(os.close, descriptor)
                ended.register(descriptor, select.POLLIN)
            ended.poll(int(1000 * LOOK_SECONDS))
    else:
        time.sleep(LOOK_SECONDS)
    return [name for name, each in needed.items() if not _lives(each)]


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
