"""What a person sees while a search runs: trials, the front so far, the time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archdsl.cli.printing import duration
from archdsl.records import Job, Outcome, State
from archdsl.search.objectives import OBJECTIVES
from archdsl.store.rows import Study, Trial, TrialCounts
from archdsl.store.store import Store

MOST_MEMBERS = 8
MOST_LETTERS = 24
BAR_WIDTH = 16


class Progress:
    """A live display on stderr; silent where stderr is not a terminal.

    Args:
        store: where the trials and the front so far are read from.
        study: its name.
        budget: total of counted trials.
    """

    def __init__(self, *, store: Store, study: str, budget: int) -> None:
        self._store, self._name, self._budget = store, study, budget
        self._row: Study | None = None
        self._count: TrialCounts | None = None
        self._members: list[Trial] = []
        self._now = "starting the worker"
        self._begun: float | None = None
        self._ended = 0
        self._shown = sys.stderr.isatty()
        self._live = Live(
            console=Console(stderr=True),
            refresh_per_second=1,
            transient=True,
            get_renderable=self._picture,
        )

    def __enter__(self) -> Self:
        if self._shown:
            self._live.start(refresh=True)
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
        self._begun = self._begun or time.monotonic()
        self._tell(f"trial {job.number}: measuring")

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None:
        """A value on the way."""
        unit = OBJECTIVES[name].unit if name in OBJECTIVES else ""
        self._now = f"trial {job.number}: epoch {epoch}, {name} {value:.2f} {unit}".rstrip()

    def on_end(self, job: Job, outcome: Outcome) -> None:
        """A candidate is committed."""
        self._ended += 1
        self._tell(f"trial {job.number}: {outcome.state.value}")

    def _tell(self, now: str) -> None:
        """Read the store here: the display itself is drawn from another thread."""
        self._now = now
        if self._shown:
            self._row = self._row or self._store.study(self._name)
            self._count = self._store.count(self._row.id)
            self._members = self._store.front(self._row.id)

    def _picture(self) -> RenderableType:
        if self._row is None or self._count is None:
            return _line(f"{self._name}: {self._now}")
        done = self._count.counted - self._count.states[State.RUNNING]
        states = ", ".join(f"{n} {state.value}" for state, n in self._count.states.items() if n)
        name = self._name
        name = name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
        head = Table.grid(padding=(0, 2))
        head.add_row(
            _line(name),
            ProgressBar(total=self._budget, completed=done, width=BAR_WIDTH),
            _line(f"{done}/{self._budget} trials{self._time_left(done)}"),
        )
        lines: list[RenderableType] = [head, _line(f"{self._now}  ({states})", style="dim")]
        return Group(*lines, *([self._front(self._row)] if self._members else []))

    def _time_left(self, done: int) -> str:
        """At the pace so far, however many trials run side by side."""
        if not self._ended or self._begun is None or done >= self._budget:
            return ""
        pace = (time.monotonic() - self._begun) / self._ended
        return f", about {duration(pace * (self._budget - done))} left"

    def _front(self, row: Study) -> Table:
        names = list(row.objectives)
        table = Table(box=None, header_style="bold")
        for heading in ("front so far", *names):
            table.add_column(heading, justify="right")
        members = sorted(self._members, key=lambda trial: trial.values[names[0]].value)
        for trial in members[:MOST_MEMBERS]:
            values = [f"{trial.values[name].value:.4g} {OBJECTIVES[name].unit}" for name in names]
            table.add_row(f"trial {trial.number}", *values)
        if len(members) > MOST_MEMBERS:
            table.add_row(f"and {len(members) - MOST_MEMBERS} more")
        return table


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
