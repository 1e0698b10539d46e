"""How a running search is shown: a picture for a terminal, lines where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archdsl.cli.printing import duration
from archdsl.document.messages import rounded, shortened
from archdsl.metrics import MEASURED, METRICS, TRAINED, as_loss, trained_for
from archdsl.printable import clean
from archdsl.records import State
from archdsl.store.rows import in_words

if TYPE_CHECKING:
    from archdsl.reporting.live import Snapshot
    from archdsl.store.rows import EndedTrial, RunningTrial, StudyRow

LOST = frozenset(State) - {State.COMPLETE, State.RUNNING}
MOST_MEMBERS = 8
MOST_RUNNING = 6
MOST_LISTED = 5
MOST_LETTERS = 24
BAR_WIDTH = 16


def picture(now: Snapshot, *, idle: str = "") -> RenderableType:
    """All that is known, no taller than a small terminal.

    Args:
        now: the search.
        idle: said where no trial runs, in place of that.
    """
    head = Table.grid(padding=(0, 2))
    cells: list[RenderableType] = [line(shortened(now.study.name, limit=MOST_LETTERS))]
    if now.study.budget:
        cells.append(ProgressBar(total=now.study.budget, completed=now.done, width=BAR_WIDTH))
    head.add_row(*cells, line(standing(now)))
    left = sum(not each.alive for each in now.running)
    states = ", ".join(_counted(in_words(now.counts.states, left=left)))
    parts: list[RenderableType] = [head, line(states or "no trial yet", style="dim")]
    parts += [line(f"trial {each.number}: {doing(each, now.study)}{_since(each)}")
              for each in now.running[:MOST_RUNNING]]  # fmt: skip
    if len(now.running) > MOST_RUNNING:
        parts.append(line(f"and {len(now.running) - MOST_RUNNING} more"))
    if not now.running:
        over = (now.study.ended or "the budget is spent").partition(";")[0]
        parts.append(line(idle or (over if now.over else "nothing runs now")))
    parts += [_front(now)] if now.front else []
    parts += [line(format_ended(each), style="red") for each in now.failures]
    return Group(*parts)


def changes(before: Snapshot | None, now: Snapshot) -> Iterator[str]:
    """What has happened since `before`, one line each; of very much at once a summary.

    The first time, where it stands.
    """
    if before is None:
        lost = {state: count for state, count in now.counts.states.items() if state in LOST}
        states = "".join(f", {each}" for each in _counted(in_words(lost, left=0)))
        yield f"{clean(now.study.name)}: {_standing_and_front(now)}{states}"
    elif now.ended:
        *others, last = _ends(now)
        yield from others
        yield f"{last} ({_standing_and_front(now)})"
    known = {(each.number, each.alive) for each in before.running} if before else set()
    for each in now.running:
        if (each.number, each.alive) not in known:
            yield f"trial {each.number}: {doing(each, now.study)}"


def _ends(now: Snapshot) -> list[str]:
    if len(now.ended) <= MOST_LISTED:
        return [format_ended(each) for each in now.ended]
    states = Counter(each.state for each in now.ended)
    return [f"{len(now.ended)} trials ended: {', '.join(_counted(in_words(states, left=0)))}"]


def _standing_and_front(now: Snapshot) -> str:
    return standing(now) + (f", {len(now.front)} on the front" if now.front else "")


def standing(now: Snapshot) -> str:
    """`7/24 trials, about 3 min left`."""
    total = f"/{now.study.budget}" if now.study.budget is not None else ""
    left = f", about {duration(now.seconds_left)} left" if now.seconds_left is not None else ""
    return f"{now.done}{total} {'trial' if (now.done, total) == (1, '') else 'trials'}{left}"


def format_ended(trial: EndedTrial) -> str:
    """`trial 6 complete: latency 1.2 ms, top1 88 %`."""
    values = ", ".join(
        f"{name} {format_value(name, value)}" for name, value in trial.values.items()
    )
    what = values or clean(trial.reason or "")
    return f"trial {trial.number} {trial.state.value}" + (f": {what}" if what else "")


def doing(trial: RunningTrial, study: StudyRow) -> str:
    """What happens to a trial now, as far as the tables tell."""
    if not trial.alive:
        return f"left by {trial.owner}; the same search command goes on with it"
    evaluate: Mapping[str, Mapping[str, object]] = study.document.get("evaluate", {})
    if trial.epoch:
        epochs = _epochs(evaluate.get(trained_for(evaluate) or "", {}))
        values = ", ".join(f"{name} {format_value(name, v)}" for name, v in trial.reported.items())
        return f"epoch {trial.epoch}{f' of {epochs}' if epochs else ''}, {values}"
    missing = [name for name in MEASURED if name in evaluate and name not in trial.measured]
    if not missing:
        return "at work"
    return "training" if missing[0] in TRAINED else f"measuring {missing[0]}"


def format_value(name: str, value: float) -> str:
    """A value with its unit."""
    unit = METRICS[name].unit if name in METRICS else ""
    return f"{rounded(value)} {unit}".rstrip()


def line(text: str, style: str = "") -> Text:
    """One line of a picture; too long a text is cut off."""
    return Text(clean(text), style=style, no_wrap=True, overflow="ellipsis")


def _front(now: Snapshot) -> Table:
    names = list(now.study.objectives)
    first, direction = names[0], now.study.objectives[names[0]]
    members = sorted(now.front, key=lambda trial: as_loss(trial.values[first].value, direction))
    table = Table(box=None, header_style="bold")
    for heading in ("front so far", *names):
        table.add_column(heading, justify="right", no_wrap=True)
    for trial in members[:MOST_MEMBERS]:
        values = [format_value(name, trial.values[name].value) for name in names]
        table.add_row(f"trial {trial.number}", *values)
    if len(members) > MOST_MEMBERS:
        table.add_row(f"and {len(members) - MOST_MEMBERS} more")
    return table


def _counted(states: Mapping[str, int]) -> Sequence[str]:
    return [f"{count} {word}" for word, count in states.items()]


def _since(trial: RunningTrial) -> str:
    if not trial.alive:
        return ""
    passed = datetime.now(UTC) - datetime.fromisoformat(trial.claimed_at)
    return f"  ({duration(passed.total_seconds())})"


def _epochs(settings: Mapping[str, object]) -> int | None:
    """Of all seeds of a training; None where only the recipe says so."""
    epochs, seeds = settings.get("epochs"), settings.get("seeds")
    several = len(seeds) if isinstance(seeds, list) else 1
    return epochs * several if isinstance(epochs, int) else None
