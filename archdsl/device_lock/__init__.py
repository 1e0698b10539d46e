"""Who has a device of this host to itself: measurers lock it exclusively, trainers share it.

Each device has two lock files. `NAME.intent` is locked by a measurer from the moment it asks until
it is done; `NAME.use` is locked by whoever uses the device: shared by trainers, exclusively by the
measurer. A trainer looks at the intent between its steps and gives way while it is locked.

The locks are flock(2)'s, so the kernel releases them when their holder dies, however it dies. They
lie outside any study's database: all processes of one user on one host see the same files, and
those of several users where they name one folder.
"""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from archdsl.device_lock.lock_file import (
    FOLDER_VARIABLE,
    DeviceLockError,
    LockFile,
    holders_of,
    lock_folder,
)

__all__ = [
    "CPU",
    "FOLDER_VARIABLE",
    "DeviceLockError",
    "SharedDeviceLock",
    "exclusive",
    "lock_folder",
    "report_waits",
    "tell_wait",
    "used",
]

WAIT_SECONDS = 600.0
"""After which whoever waits gives up: many times what one measurement takes."""
LOOK_SECONDS = 0.1
"""A trainer looks for measurers at most this often: a look costs two system calls."""
CPU = "cpu"
"""Name of the processors' lock."""

_FIRST_POLL_SECONDS = 0.005
_LONGEST_POLL_SECONDS = 0.05
"""Whoever waits long looks rarely: each look wakes a core beside the measurement it waits for."""
_REPORT_SECONDS = 0.5
_TELL_SECONDS, _TELL_AGAIN_SECONDS = 15.0, 60.0
"""After which a wait is put into words: longer than one measurement that closes as it should."""


@contextmanager
def exclusive(device: str, *, wait_s: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold a device for a measurement: no trainer and no other measurer of ours uses it.

    Not to be nested: a process that holds a lock waits for itself.

    Args:
        device: name of the lock, such as `cpu`.
        wait_s: seconds to wait for trainers to give way and for other measurers to finish.

    Raises:
        DeviceLockError: they did not; names their process numbers.
    """
    intent, use = LockFile(device, "intent"), LockFile(device, "use")
    try:
        _wait_for([intent], lambda: intent.attempt(fcntl.LOCK_EX), wait_s)
        _wait_for([use], lambda: use.attempt(fcntl.LOCK_EX), wait_s)
        yield
    finally:
        use.release()
        intent.release()


class SharedDeviceLock:
    """A trainer's hold on its devices, for use as a context around a stretch of work.

    Args:
        devices: names of locks. They are taken together or not at all, so that nobody holds
            one of them idle while it waits for another.
        synchronize: waits until the devices have finished what they were asked to do; called
            before they are left to a measurer.
        wait_s: seconds to wait for measurers.
    """

    def __init__(
        self,
        devices: Sequence[str],
        *,
        synchronize: Callable[[], None] = lambda: None,
        wait_s: float = WAIT_SECONDS,
    ) -> None:
        self._locks = [(LockFile(device, "intent"), LockFile(device, "use")) for device in devices]
        self._synchronize = synchronize
        self._wait_s = wait_s
        self._looked = 0.0
        self.seconds_waited = 0.0
        """Seconds spent waiting for measurers so far."""

    def __enter__(self) -> SharedDeviceLock:
        self._looked = time.monotonic()
        locks = [lock for pair in self._locks for lock in pair]
        self.seconds_waited += _wait_for(locks, self._attempt, self._wait_s)
        return self

    def __exit__(self, *_: object) -> None:
        for _intent, use in self._locks:
            use.release()

    def _attempt(self) -> bool:
        for intent, use in self._locks:
            # A measurer that waits goes first: its intent bars the way.
            if _wanted(intent) or not use.attempt(fcntl.LOCK_SH):
                self.__exit__()
                return False
        return True

    def is_wanted(self) -> bool:
        """Whether a measurer waits for the devices; looked at now and then."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        return any(_wanted(intent) for intent, _ in self._locks)

    def give_way(self) -> None:
        """Leave the devices to measurers that want them, then take them again.

        Raises:
            DeviceLockError: a measurer kept a device longer than `wait_s`.
        """
        self._synchronize()
        self.__exit__()
        self.__enter__()

    def yield_to_measurement(self) -> None:
        """Between two steps: give way where that is wanted; see `give_way`."""
        if self.is_wanted():
            self.give_way()


@contextmanager
def used(devices: Sequence[str]) -> Iterator[None]:
    """Use devices beside a trainer of this process's family, which holds them and waits for it.

    A measurement that is on is waited for. One that is only wanted is not: the trainer could never
    leave the devices to it.

    Args:
        devices: names of locks.
    """
    locks = [LockFile(device, "use") for device in devices]
    try:
        for lock in locks:
            while not lock.attempt(fcntl.LOCK_SH):
                time.sleep(_LONGEST_POLL_SECONDS)
        yield
    finally:
        for lock in locks:
            lock.release()


OnWait = Callable[[float, str], None]
"""Takes the seconds this process just waited, and now and then words about it, else none."""


@contextmanager
def report_waits(listener: OnWait) -> Iterator[None]:
    """Have `listener` called while this process waits, every half second or so.

    Whoever limits the time of this process's work need not count the seconds. Without a listener
    the words go to this module's logger.
    """
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


_listeners: list[OnWait] = []


def _wanted(intent: LockFile) -> bool:
    if not intent.attempt(fcntl.LOCK_SH):
        return True
    intent.release()
    return False


def _wait_for(locks: Sequence[LockFile], attempt: Callable[[], bool], wait_s: float) -> float:
    """Attempt until it succeeds; the seconds it took.

    Args:
        locks: that are attempted, for the message.
    """
    started = reported = time.monotonic()
    tell_after = _TELL_SECONDS
    pause = _FIRST_POLL_SECONDS
    while not attempt():
        now = time.monotonic()
        if now - started > wait_s:
            raise DeviceLockError(_refusal(locks, now - started))
        if now - reported >= _REPORT_SECONDS:
            words = ""
            if now - started >= tell_after:
                tell_after += _TELL_AGAIN_SECONDS
                words = _waiting(locks, now - started)
            _report(now - reported, words)
            reported = now
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_POLL_SECONDS)
    ended = time.monotonic()
    if reported > started:
        _report(ended - reported)
    return ended - started


def _report(seconds: float, words: str = "") -> None:
    for listener in _listeners:
        listener(seconds, words)
    if words and not _listeners:
        tell_wait(words)


def tell_wait(words: str) -> None:
    """Put a wait into this module's log, of whichever process it is."""
    logging.getLogger(__name__).warning(words)


def _waiting(locks: Sequence[LockFile], seconds: float) -> str:
    """What is being waited for."""
    return f"waiting for {_names(locks)} for {seconds:.0f} s: {_whose(_all_holders(locks))}"


def _refusal(locks: Sequence[LockFile], seconds: float) -> str:
    """Why locks were not to be had."""
    holders = _all_holders(locks)
    kill = f" or end it (kill {' '.join(map(str, holders))})" if holders else ""
    return (
        f"waited {seconds:.0f} s for {_names(locks)}: {_whose(holders)}; wait until it is "
        f"done{kill}, then run the same command again"
    )


def _whose(holders: Sequence[int]) -> str:
    who = " and ".join(f"process {pid}" for pid in holders) or "another process"
    return f"{who}, which measures or trains there, holds its lock in {lock_folder()}"


def _names(locks: Sequence[LockFile]) -> str:
    return " or ".join(dict.fromkeys(lock.device for lock in locks))


def _all_holders(locks: Sequence[LockFile]) -> list[int]:
    return sorted({pid for lock in locks for pid in holders_of(lock.path)})
