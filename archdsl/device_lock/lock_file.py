"""The files behind device locks: where they lie, how one is locked, and by whom it is."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import stat
import tempfile
from pathlib import Path

from archdsl.errors import ArchdslError

FOLDER_VARIABLE = "ARCHDSL_LEASES"
"""Environment variable that names another folder for the lock files."""
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
    if not stat.S_ISDIR(found.st_mode):
        raise DeviceLockError(f"{folder} is not a folder; remove it, or {remedy}")
    if not given and found.st_uid != os.getuid():
        owner = _owner(found)
        raise DeviceLockError(f"{folder} belongs to {owner}; have them remove it, or {remedy}")
    return folder


class LockFile:
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


def _unusable(path: Path, error: OSError) -> str:
    reason = error.strerror or errno.errorcode.get(error.errno or 0, "unknown")
    return (
        f"cannot lock {path}: {reason}; {_remedy(path, error)}name a folder on a local disk in the "
        f"environment variable {FOLDER_VARIABLE}"
    )


def _remedy(path: Path, error: OSError) -> str:
    """What to do about a file that cannot be locked, beside using another; empty where unknown."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        if not isinstance(error, PermissionError):
            return ""
        folder = path.parent
        return f"{_whose(folder, folder.stat())}: have it made writable (chmod 1777 {folder}), or "
    except OSError:
        return ""
    if not stat.S_ISREG(found.st_mode):
        kind = "a link that leads to no such file" if path.is_symlink() else "no ordinary file"
        return f"it is {kind}: remove it, or "
    if not isinstance(error, PermissionError):
        return ""
    return (
        f"{_whose(path, found)}: have it made readable (chmod a+r {path}), or removed while nobody "
        "measures or trains, or "
    )


def _whose(path: Path, found: os.stat_result) -> str:
    return f"{path.name} belongs to {_owner(found)} (mode {stat.S_IMODE(found.st_mode):04o})"


def _owner(found: os.stat_result) -> str:
    try:
        return f"the user {pwd.getpwuid(found.st_uid).pw_name}"
    except KeyError:
        return f"the user of number {found.st_uid}"


def holders_of(path: Path) -> list[int]:
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
