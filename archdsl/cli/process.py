"""The process a command runs in: standard streams that close or refuse, signals that end it."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, NoReturn, TextIO

_READER_GONE = (errno.EPIPE, errno.EIO)
"""Of a pipe; of a terminal."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_AGAIN_S = 0.05
"""Until an interruption that was lost is asked for again: longer than what it was lost in."""


class Interruption(KeyboardInterrupt):
    """Something asked the command to end; it unwinds as after Ctrl-C.

    Args:
        message: what was left behind, and how to go on.
        number: of the signal.
    """

    def __init__(self, message: str, *, number: int) -> None:
        super().__init__(message)
        self.message = message
        self.number = number


_ASKED: list[Interruption] = []
"""What has asked this process to end, the last at the end."""


def prepare() -> None:
    """Make the process fit for a command: call it once, first."""
    _open_closed()
    if sys.stdout is sys.__stdout__:
        sys.stdout = _guarded(sys.stdout, 1, by_line=os.isatty(1))
    if sys.stderr is sys.__stderr__:
        sys.stderr = _guarded(sys.stderr, 2, by_line=True)
    for number in _ENDING:
        # Whoever ignores a signal, as nohup does, wants it ignored.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _not_lost


def behind(interrupt: KeyboardInterrupt) -> Interruption:
    """An interruption as it was raised: Ray's calls raise a bare one instead; so does Ctrl-C."""
    if isinstance(interrupt, Interruption):
        return interrupt
    ctrl_c = Interruption("interrupted; run the same command again", number=signal.SIGINT)
    return _ASKED[-1] if _ASKED else ctrl_c


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # the second time it may not wait for tidying up
    name = signal.Signals(number).name
    _ASKED.append(Interruption(f"ended by {name}; run the same command again", number=number))
    raise _ASKED[-1]


def _not_lost(unraisable: sys.UnraisableHookArgs) -> None:
    """Have an interruption come again that Python drops, as in `__del__` or a weak reference's."""
    error = unraisable.exc_value
    if not isinstance(error, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    number = behind(error).number
    if signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, _interrupt)
    threading.Timer(_AGAIN_S, os.kill, (os.getpid(), number)).start()


def _open_closed() -> None:
    """Standard streams that were closed (`>&-`) lead nowhere: no file may take their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _guarded(stream: TextIO | None, number: int, *, by_line: bool) -> TextIO:
    """The same stream that nothing can break: neither its encoding nor whoever reads it."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Guarded(number, "w", closefd=False)),
        encoding=stream.encoding if stream else "utf-8",
        errors="backslashreplace",
        line_buffering=by_line,
    )


class _Guarded(io.FileIO):
    """A file that leads nowhere from its first failure on.

    Readers leave when they have enough, which is no error. A full disk is one, once: what is left
    in the buffer must not fail again when Python ends.
    """

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if error.errno not in _READER_GONE:
                raise
            return len(data)
