"""Signals that ask a process to end, while it does what should be whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """Puts signals off that would end this process; a second one is not put off."""

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        """Which one waits."""
        self._before: dict[int, Any] = {}

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """From here on; elsewhere than in the main thread, which alone gets signals, nothing is."""
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                before = signal.getsignal(number)
                if before not in (signal.SIG_IGN, None):
                    self._before[number] = before
                    signal.signal(number, self._ask)
        try:
            yield
        finally:
            self._restore()

    def act(self, otherwise: signal.Signals | None = None) -> None:
        """Let happen what was put off, or where nothing was, `otherwise`."""
        asked, self.asked = self.asked or otherwise, None
        self._restore()
        if asked is not None:
            signal.raise_signal(asked)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
