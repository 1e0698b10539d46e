"""Why draws of a space make no model, and which of the decisions that is up to."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from archdsl.document.tree import Scalar
from archdsl.errors import Problem
from archdsl.space.deciders import FirstOption
from archdsl.space.holes import Hole
from archdsl.space.space import Candidate, Space

MOST_REFUSALS = 10
"""Kinds of problems that are looked into: the most frequent."""
MOST_CASES = 5
"""Draws of a kind that are looked into: in one alone, a second problem may hide what helps."""
MOST_OPTIONS = 20
"""Of a hole, that are tried in place of the one that was drawn."""
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class RefusedOption:
    """An option that goes with some decisions only.

    Args:
        hole: its name.
        option: its label.
        refused: how many draws with it are refused for the reason it belongs to.
        draws: how many draws have it.
    """

    hole: str
    option: Scalar
    refused: int
    draws: int


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A reason why draws make no model.

    Args:
        share: of all draws.
        path: of the word that is refused.
        message: what is said of it most often; in other draws its numbers differ.
        options: what it is up to, the most frequent first: with another option in its place, and
            all else as it is, the reason is gone.
    """

    share: float
    path: str
    message: str
    options: Sequence[RefusedOption]


def refusals(space: Space, draws: Sequence[Candidate]) -> list[Refusal]:
    """Why draws make no model, the most frequent reasons first; a draw may have several."""
    found: defaultdict[str, list[tuple[Candidate, Problem]]] = defaultdict(list)
    for each in draws:
        for kind, problem in {_kind(problem): problem for problem in each.problems}.items():
            found[kind].append((each, problem))
    frequent = sorted(found.items(), key=lambda item: -len(item[1]))[:MOST_REFUSALS]
    drawn = Counter(decision for each in draws for decision in each.params.items())
    made = []
    for kind, cases in frequent:
        path, message = Counter((case.path, case.message) for _, case in cases).most_common(1)[0][0]
        concerned = {
            name for each, _ in cases[:MOST_CASES] for name in _concerned(space, each, kind)
        }
        refused = Counter(
            (name, label)
            for each, _ in cases
            for name, label in each.params.items()
            if name in concerned
        )
        options = [
            RefusedOption(hole=name, option=label, refused=count, draws=drawn[name, label])
            for (name, label), count in refused.items()
        ]
        options.sort(key=lambda each: (-each.refused, each.draws))
        share = len(cases) / len(draws)
        made.append(Refusal(share=share, path=path, message=message, options=options))
    return made


def _kind(problem: Problem) -> str:
    """What problems have in common that differ in numbers alone."""
    return _NUMBER.sub("0", f"{problem.path}: {problem.message}")


def _concerned(space: Space, draw: Candidate, kind: str) -> Iterator[str]:
    """Holes of a draw where another option takes problems of a kind away and brings no others."""
    before = set(map(_kind, draw.problems))
    decided = {hole.name: hole.labels.index(draw.params[hole.name]) for hole in draw.holes}
    for hole in draw.holes:
        for index in _some(hole):
            after = space.walk(FirstOption({**decided, hole.name: index})).problems
            if set(map(_kind, after)) <= before - {kind}:
                yield hole.name
                break


def _some(hole: Hole) -> Sequence[int]:
    """Options that say much of a hole: of one with many, some at random."""
    count = len(hole.options)
    return Random(0).sample(range(count), min(count, MOST_OPTIONS))
