"""Every option of a space, checked before a search: all that a person wrote, within a bound.

Each option is checked once, with the other holes at their first: a sum, not a product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from archdsl.document.messages import shown
from archdsl.document.tree import Tree
from archdsl.errors import DocumentError, Problem
from archdsl.space.deciders import FirstOption
from archdsl.space.holes import BASE, Branch, Decider, Hole, Part
from archdsl.space.space import Candidate, Space

MOST_VALUES = 200_000
"""Values in all documents that are checked: some seconds."""
MOST_BETWEEN = 100
"""Values of a range; of a longer one, only the ends are checked."""

ProblemKey = tuple[str, int, int, str]


@dataclass(frozen=True, kw_only=True)
class OptionCheck:
    """What is known of the options of a space.

    Args:
        problems: all that were found.
        unchecked: how many options there are too many to check before a search.
    """

    problems: Sequence[Problem]
    unchecked: int


class _Rank(IntEnum):
    """What is checked first."""

    END = 0
    """The first and the last option of a hole."""
    WRITTEN = 1
    BETWEEN = 2
    """A value inside a range, which nobody wrote."""
    NEVER = 3


@dataclass(frozen=True, kw_only=True)
class _Forced:
    """Decisions that are made for holes, with what leads to the last of them."""

    options: dict[str, int]
    rank: _Rank


def check_options(space: Space) -> OptionCheck:
    """Check the options of a space, and its base."""
    problems: dict[ProblemKey, Problem] = {}
    try:
        space.base_candidate()
    except DocumentError as error:
        problems = {_key(each): each for each in error.problems}
    every = [_Forced(options={}, rank=_Rank.END), *_each_option(space)]
    room = MOST_VALUES // _values(space.walk(FirstOption({})).tree)
    chosen = _affordable(every, room)
    for forced in chosen:
        candidate = space.walk(FirstOption(forced.options))
        _blame(candidate, forced.options, space=space, problems=problems, room=room)
    return OptionCheck(problems=list(problems.values()), unchecked=len(every) - len(chosen))


def _affordable(every: Sequence[_Forced], room: int) -> list[_Forced]:
    """As many as there is room for (the first in any case), in the order of the document."""
    places = [place for place, forced in enumerate(every) if forced.rank is not _Rank.NEVER]
    places.sort(key=lambda place: every[place].rank)
    return [every[place] for place in sorted(places[: max(1, room)])]


def _values(tree: Tree) -> int:
    """How many values a document holds."""
    if isinstance(tree.value, tuple):
        return 1 + sum(map(_values, tree.value))
    if isinstance(tree.value, Mapping):
        return 1 + sum(_values(entry.tree) for entry in tree.value.values())
    return 1


def _blame(
    candidate: Candidate,
    forced: dict[str, int],
    *,
    space: Space,
    problems: dict[ProblemKey, Problem],
    room: int,
) -> None:
    """Add problems of a candidate, each where the option stands that it comes from."""
    last = next(reversed(forced), None)
    known = next((each for each in candidate.holes if each.name == last), None)
    for each in candidate.problems:
        if _key(each) not in problems:
            hole = known or _culprit(space, each, candidate.holes, room=room)
            problems[_key(each)] = _placed(each, hole, forced.get(hole.name, 0)) if hole else each


def _culprit(space: Space, problem: Problem, decided: Sequence[Hole], *, room: int) -> Hole | None:
    """The hole whose first option a problem goes away without, all others at their first."""
    for hole in decided:
        for index in range(1, min(len(hole.options), MOST_BETWEEN, room)):
            if _key(problem) not in _problems(space, FirstOption({hole.name: index})):
                return hole
    return None


def _problems(space: Space, decider: Decider) -> set[ProblemKey]:
    return {_key(each) for each in space.walk(decider).problems}


def _key(problem: Problem) -> ProblemKey:
    return problem.source, problem.line, problem.column, problem.message


def _placed(problem: Problem, hole: Hole, index: int) -> Problem:
    """A problem with a word of the base, put where the option stands that it does not go with."""
    origin = hole.origin(index)
    if hole.name == BASE or problem.source == origin.source:
        return problem
    found = f"{problem.source}:{problem.place}" if problem.line else problem.source
    return Problem(
        source=origin.source,
        line=origin.line,
        column=origin.column,
        path=hole.name,
        message=f"{shown(hole.labels[index])} does not go with {problem.path} ({found}): "
        f"{problem.message}",
    )


def _each_option(space: Space) -> Iterator[_Forced]:
    """Each option of each hole, in the order of the document."""
    for hole in space.base_holes():
        for index in range(1, len(hole.options)):
            yield _Forced(options={hole.name: index}, rank=_Rank.END)
    yield from _options_below(space.overlay, {})


def _options_below(part: Part, leading: Mapping[str, int]) -> Iterator[_Forced]:
    if isinstance(part, Branch):
        for child in part.parts.values():
            yield from _options_below(child, leading)
    if isinstance(part, Hole):
        for index, option in enumerate(part.options):
            forced = {**leading, part.name: index}
            yield _Forced(options=forced, rank=_rank(part, index))
            yield from _options_below(option, forced)


def _rank(hole: Hole, index: int) -> _Rank:
    if index in (0, len(hole.options) - 1):
        return _Rank.END
    if hole.span is None:
        return _Rank.WRITTEN
    return _Rank.BETWEEN if len(hole.options) <= MOST_BETWEEN else _Rank.NEVER
