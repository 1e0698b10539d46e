"""What another place might change: a compiler, a time limit, memory. It is tried again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from archdsl.document.messages import counted, one_of
from archdsl.errors import StoreError, StudyError
from archdsl.identity import differences
from archdsl.records import RETRIABLE, Outcome, State
from archdsl.store.owner import Owner
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store


class BaseFailedError(StudyError):
    """The base cannot be evaluated here.

    Args:
        outcome: of its trial.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(
            f"the base ended as {outcome.state.value}: {outcome.reason}\n"
            "no other candidate is tried where the base itself cannot be evaluated, and nothing "
            "was counted: mend what is missing here, or say another run profile (--runner) or "
            "another base (--set base=NAME); then run the same command again"
        )


def depends_on_place(outcome: Outcome) -> bool:
    """Whether a candidate might have come to another end elsewhere."""
    return outcome.state in RETRIABLE and not outcome.anywhere


def retried_states(words: Iterable[str]) -> tuple[State, ...]:
    """The ends of trials that are to be tried again.

    Raises:
        StudyError: a word is none of `RETRIABLE`; names all that are wrong.
    """
    names = [state.value for state in RETRIABLE]
    chosen = list(words)
    wrong = [one_of(word, names) for word in chosen if word not in names]
    if wrong:
        raise StudyError(
            f"retry: {'; '.join(wrong)} (no other place would change any other end of a trial)"
        )
    return tuple(State(word) for word in dict.fromkeys(chosen))


def undo(row: StudyRow, store: Store, owner: Owner) -> None:
    """A study whose base failed is left as though nothing had been tried here.

    One in which nothing else was paid for is removed, so that its document can be mended.
    """
    states = store.trials.count(row.id).states
    paid = sum(states.values()) - sum(states[each] for each in (*RETRIABLE, State.RUNNING))
    with suppress(StoreError):  # another process works on it, and will see for itself
        if paid:
            store.retries.begin(row.id, RETRIABLE, owner=owner)
        else:
            store.studies.delete(row.name)


def elsewhere(trials: Sequence[Trial], place: Mapping[str, Any]) -> str | None:
    """What is said of trials that ended under another run profile than the present one."""
    lines = []
    for state in RETRIABLE:
        found = [
            trial.ended_under["profile"]
            for trial in trials
            if trial.state is state and trial.ended_under and trial.ended_under["profile"]
        ]
        others = [then for then in found if then != place]
        if others:
            changed = ", ".join(
                f"{'.'.join(path)}: {before} then, {now} now"
                for path, before, now in differences(others[0], place)
            )
            lines.append(
                f"{counted(len(others), 'trial')} ended as {state.value} under another run profile "
                f"({changed}); --retry {state.value} tries again"
            )
    return "\n".join(lines) or None


def ways_on(trials: Sequence[Trial]) -> str | None:
    """How to try again what ended in a way that another place might change."""
    ends = [state.value for state in RETRIABLE if any(t.state is state for t in trials)]
    if not ends:
        return None
    return (
        "another place might change that: mend what is missing here, or say another run profile "
        f"(--runner); --retry {','.join(ends)} then tries them again"
    )
