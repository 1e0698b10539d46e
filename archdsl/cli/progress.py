"""What a person sees while a search runs: trials, the front so far, the time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archdsl.records import Job, Outcome, State
from archdsl.search.objectives import OBJECTIVES
from archdsl.store.rows import Study
from archdsl.store.store import Store

MOST_MEMBERS = 8


class Progress:
    """A live display on stderr; silent where stderr is not a terminal.

    Args:
        store: where the front so far is read from.
        row: the study.
        budget: total of counted trials.
    """

    def __init__(self, *, store: Store, row: Study, budget: int) -> None:
        self._store, self._row, self._budget = store, row, budget
        self._started = time.monotonic()
        self._ended = 0
        self._now = "starting the worker"
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._shown:
            self._live.start()
            self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._live.stop()

    def on_start(self, job: Job) -> None:
        """A candidate goes to a worker."""
        self._now = f"trial {job.number}: measuring"
        self._draw()

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None:
        """A value on the way."""
        unit = OBJECTIVES[name].unit if name in OBJECTIVES else ""
        self._now = f"trial {job.number}: epoch {epoch}, {name} {value:.2f} {unit}"
        self._draw()

    def on_end(self, job: Job, outcome: Outcome) -> None:
        """A candidate is committed."""
        self._ended += 1
        self._now = f"trial {job.number}: {outcome.state.value}"
        self._draw()

    def _draw(self) -> None:
        if self._shown:
            self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Group:
        count = self._store.count(self._row.id)
        done = count.counted - count.states.get(State.RUNNING, 0)
        states = ", ".join(f"{n} {state.value}" for state, n in count.states.items() if n)
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(f"{self._row.name}  {done}/{self._budget} trials"),
            ProgressBar(total=self._budget, completed=done, width=30),
            Text(self._time_left(done)),
        )
        return Group(head, Text(f"{states}; {self._now}", style="dim"), self._front())

    def _time_left(self, done: int) -> str:
        if not self._ended:
            return ""
        spent = time.monotonic() - self._started
        left = round(spent / self._ended * max(0, self._budget - done))
        return f"about {left // 60} min {left % 60:02d} s left"

    def _front(self) -> Table:
        names = list(self._row.objectives)
        table = Table(box=None, header_style="bold")
        for heading in ("front so far", *names):
            table.add_column(heading, justify="right")
        members = self._store.front(self._row.id)
        members.sort(key=lambda trial: trial.values[names[0]].value)
        for trial in members[:MOST_MEMBERS]:
            values = [f"{trial.values[name].value:.4g} {OBJECTIVES[name].unit}" for name in names]
            table.add_row(f"trial {trial.number}", *values)
        if len(members) > MOST_MEMBERS:
            table.add_row(f"and {len(members) - MOST_MEMBERS} more")
        return table
