"""Decisions without effect: whichever option the hole had, the network would be the same one.

Holes inside options are decided under their option alone. What is left are words that another
decision makes idle: the ratio of a write that no layer has, an exception for a layer beyond depth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archdsl.document.tree import Scalar
from archdsl.space.holes import Hole
from archdsl.space.space import Space
from archdsl.store.rows import Trial

MOST_WALKS = 10_000
"""Other networks that are looked at, half a millisecond each; trials after that are left as they
are."""
MOST_OPTIONS = 20
"""Of a hole, that are tried in the place of the one taken."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """Trials, each with those of its decisions alone that had an effect.

    Args:
        trials: in the order they were given.
        idle: name of a hole to the number of trials in which it had none.
        unlooked: how many trials there were too many to look at.
    """

    trials: Sequence[Trial]
    idle: Mapping[str, int]
    unlooked: int


def with_effect(space: Space | None, trials: Sequence[Trial]) -> Decided:
    """Leave out the decisions that changed nothing.

    Args:
        space: that they were drawn from; None where it is unknown, and all are left as they are.
        trials: of one study.
    """
    kept, idle, unlooked = [], Counter[str](), 0
    looked = _Looked(made={})
    for trial in trials:
        if space is None or len(looked.made) >= MOST_WALKS:
            names = set[str]()
            unlooked += space is not None and bool(trial.params)
        else:
            names = looked.idle(space, trial)
        idle.update(names)
        kept.append(
            replace(
                trial,
                params={n: label for n, label in trial.params.items() if n not in names},
                distributions={
                    n: text for n, text in trial.distributions.items() if n not in names
                },
            )
        )
    return Decided(trials=kept, idle=dict(idle), unlooked=unlooked)


@dataclass(kw_only=True)
class _Looked:
    """Remembers what was looked at: in a small space the same networks, again and again."""

    made: dict[frozenset[tuple[str, Scalar]], str | None]
    """Decisions to the `arch_id` that they make, or to None where they do not go together."""

    def idle(self, space: Space, trial: Trial) -> set[str]:
        """Holes of which every other option makes this trial's network, or none."""
        holes = space.walk(_Decisions(trial.params)).holes if trial.params else ()
        return {
            hole.name
            for hole in holes
            if hole.name in trial.params and self._is_idle(space, hole, trial)
        }

    def _is_idle(self, space: Space, hole: Hole, trial: Trial) -> bool:
        same = False
        others = [label for label in hole.labels if label != trial.params[hole.name]]
        for label in others[:MOST_OPTIONS]:
            other = self._made(space, {**trial.params, hole.name: label})
            if other is not None:
                if other != trial.arch_id:
                    return False
                same = True
        return same

    def _made(self, space: Space, params: Mapping[str, Scalar]) -> str | None:
        key = frozenset(params.items())
        if key not in self.made:
            found = space.walk(_Decisions(params))
            self.made[key] = found.model.plan.arch_id if found.is_valid else None
        return self.made[key]


@dataclass(frozen=True)
class _Decisions:
    """Decides as it is told, and takes the first option of what it is not told of."""

    params: Mapping[str, Scalar]

    def decide(self, hole: Hole) -> int:
        label = self.params.get(hole.name, hole.labels[0])
        return hole.labels.index(label) if label in hole.labels else 0
