"""What a person sees while a search runs: the picture of `archdsl watch`, or lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from archdsl.cli.live import changes, line, picture
from archdsl.cli.printing import say
from archdsl.errors import StoreError
from archdsl.records import Job, Outcome
from archdsl.reporting.live import Follower, Snapshot
from archdsl.store.store import Store

SECONDS_BETWEEN_LINES = 1.0


@contextmanager
def starting(study: str) -> Iterator[None]:
    """Says on a terminal what is waited for before there is a store to look at."""
    if not sys.stderr.isatty():
        yield
        return
    text = line(f"{study}: starting the worker")
    with Live(text, console=Console(stderr=True), auto_refresh=False, transient=True):
        yield


class Progress:
    """Drawn once a second where stderr is a terminal, in lines where it is none.

    Args:
        store: where all that is shown is read from.
        study: its name.
    """

    def __init__(self, *, store: Store, study: str) -> None:
        self._store, self._name = store, study
        self._follower: Follower | None = None
        self._seen: Snapshot | None = None
        self._printed_at = 0.0
        self._begun = False
        # A thread of its own asks for the picture: the search waits for none of it.
        self._live = Live(
            console=Console(stderr=True),
            refresh_per_second=1,
            transient=True,
            get_renderable=self._picture,
        )
        self._drawn = sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._drawn:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn:
            self._live.stop()
        elif self._begun and error is None:
            self._print_changes()

    def on_start(self, job: Job) -> None:
        """A candidate goes to a worker."""
        if not (self._drawn or self._begun):
            self._print_changes()
        self._begun = True

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None:
        """A value on the way."""

    def on_end(self, job: Job, outcome: Outcome) -> None:
        """A candidate is committed."""
        if not self._drawn and time.monotonic() - self._printed_at >= SECONDS_BETWEEN_LINES:
            self._print_changes()

    def _print_changes(self) -> None:
        before, now = self._seen, self._look()
        for text in changes(before, now):
            say(text)
        self._printed_at = time.monotonic()

    def _look(self) -> Snapshot:
        if self._follower is None:
            self._follower = Follower(study_id=self._store.studies.find(self._name).id)
        self._seen = self._follower.look(self._store)
        return self._seen

    def _picture(self) -> RenderableType:
        # There is no such study before its first trial; of all else the search tells.
        with suppress(StoreError):
            self._look()
        idle = "between two trials" if self._begun else "starting the worker"
        if self._seen is None:
            return line(f"{self._name}: {idle}")
        return picture(self._seen, idle="scoring the front" if self._seen.over else idle)
