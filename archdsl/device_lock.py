"""Who has a device of this host to itself: measurers lock it exclusively, trainers share it.

Each device has two lock files. `NAME.intent` is locked by a measurer from the moment it asks until
it is done; `NAME.use` is locked by whoever uses the device: shared by trainers, exclusively by the
measurer. A trainer looks at the intent between its steps and gives way while it is locked.

The locks are flock(2)'s, so the kernel releases them when their holder dies, however it dies. They
lie outside any study's database: all processes of one user on one host see the same files, and
those of several users where they name one folder.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from archdsl.errors import ArchdslError

FOLDER_VARIABLE = "ARCHDSL_LEASES"
"""Environment variable that names another folder for the lock files."""
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
_LOCK_LIST = Path("/proc/locks")
_SHARED_TEMPORARY = Path("/tmp")
"""Not TMPDIR: batch systems set it anew for each job, and the jobs of one host must meet."""


class DeviceLockError(ArchdslError):
    """A device that others would not leave in time, or a folder that cannot hold its lock files."""


def lock_folder() -> Path:
    """The folder of this host's lock files, made where it is missing.

    `$ARCHDSL_LEASES`, else `archdsl-UID` in the system's temporary folder. The first may be one
    that several users can write to; the second is for this user alone.

    Raises:
        DeviceLockError: it cannot be made, or somebody else made it.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    shared = _SHARED_TEMPORARY if _SHARED_TEMPORARY.is_dir() else Path(tempfile.gettempdir())
    folder = Path(given) if given else shared / f"archdsl-{os.getuid()}"
    remedy = f"name another folder in the environment variable {FOLDER_VARIABLE}"
    try:
        folder.mkdir(mode=0o777 if given else 0o700, parents=True, exist_ok=True)
        found = folder.stat() if given else folder.lstat()
    except OSError as error:
        raise DeviceLockError(
            f"cannot make the folder {folder}: {error.strerror}; {remedy}"
        ) from None
    if not stat.S_ISDIR(found.st_mode) or (not given and found.st_uid != os.getuid()):
        raise DeviceLockError(f"{folder} is not a folder of this user's; remove it, or {remedy}")
    return folder


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
    intent, use = _Lock(device, "intent"), _Lock(device, "use")
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
        self._locks = [(_Lock(device, "intent"), _Lock(device, "use")) for device in devices]
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

    def yield_to_measurement(self) -> None:
        """Between two steps: leave the devices to measurers that want them, then take them again.

        Raises:
            DeviceLockError: a measurer kept a device longer than `wait_s`.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if any(_wanted(intent) for intent, _ in self._locks):
            self._synchronize()
            self.__exit__()
            self.__enter__()


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


def _wanted(intent: _Lock) -> bool:
    if not intent.attempt(fcntl.LOCK_SH):
        return True
    intent.release()
    return False


def _wait_for(locks: Sequence[_Lock], attempt: Callable[[], bool], wait_s: float) -> float:
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


class _Lock:
    """One lock file; its descriptor is open only while the lock is held."""

    def __init__(self, device: str, name: str) -> None:
        self.device = device
        self._name = f"{device}.{name}"
        self._descriptor: int | None = None

    @property
    def path(self) -> Path:
        """The lock file."""
        return lock_folder() / self._name

    def attempt(self, how: int) -> bool:
        """Take the lock if nobody holds it otherwise."""
        path = self.path
        try:
            descriptor = _opened(path)
        except OSError as error:
            raise DeviceLockError(_unusable(path, error)) from None
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            # A cleaner of temporary files may have taken the name away in between.
            held = os.fstat(descriptor).st_ino == path.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            held = False
        except OSError as error:
            os.close(descriptor)
            raise DeviceLockError(_unusable(path, error)) from None
        if not held:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        _open_descriptors.add(descriptor)
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None and self._descriptor in _open_descriptors:
            _open_descriptors.discard(self._descriptor)
            os.close(self._descriptor)
        self._descriptor = None


def _opened(path: Path) -> int:
    """A descriptor of a lock file, which is made where it is missing.

    Another user's file is locked by reading it: systems refuse to create what is there already in
    a folder for everybody, and to write to it.
    """
    for how in (os.O_RDWR, os.O_RDONLY):
        try:
            return os.open(path, how | os.O_CLOEXEC)
        except FileNotFoundError:
            break
        except PermissionError:
            continue
    shared = FOLDER_VARIABLE in os.environ
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:  # somebody was quicker, or it may not even be read
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if shared:
        os.fchmod(descriptor, 0o644)
    return descriptor


def _waiting(locks: Sequence[_Lock], seconds: float) -> str:
    """What is being waited for."""
    return f"waiting for {_names(locks)} for {seconds:.0f} s: {_whose(_all_holders(locks))}"


def _refusal(locks: Sequence[_Lock], seconds: float) -> str:
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


def _names(locks: Sequence[_Lock]) -> str:
    return " or ".join(dict.fromkeys(lock.device for lock in locks))


def _all_holders(locks: Sequence[_Lock]) -> list[int]:
    return sorted({pid for lock in locks for pid in _holders(lock.path)})


def _unusable(path: Path, error: OSError) -> str:
    reason = error.strerror or errno.errorcode.get(error.errno or 0, "unknown")
    return (
        f"cannot lock {path}: {reason}; name a folder on a local disk in the environment variable "
        f"{FOLDER_VARIABLE}"
    )


def _holders(path: Path) -> list[int]:
    """Numbers of the processes that lock a file, where the system lists them (Linux)."""
    try:
        inode = str(path.stat().st_ino)
        lines = _LOCK_LIST.read_text().splitlines()
    except OSError:
        return []
    # `1: FLOCK  ADVISORY  WRITE 4935 fe:00:2146409 0 EOF`; a waiting one has `->` before FLOCK.
    rows = [line.split() for line in lines]
    pids = {int(r[4]) for r in rows if r[1] == "FLOCK" and r[5].rpartition(":")[2] == inode}
    return sorted(pid for pid in pids if pid > 0)


_open_descriptors: set[int] = set()


def _forget() -> None:
    """A forked child must not keep its parent's locks alive."""
    for descriptor in _open_descriptors:
        os.close(descriptor)
    _open_descriptors.clear()


os.register_at_fork(after_in_child=_forget)
