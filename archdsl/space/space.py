"""The space of a study: bases, a partial document with holes, and the candidates they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from archdsl.document.merge import merge_trees
from archdsl.document.messages import shown
from archdsl.document.tree import Origin, Scalar, Tree
from archdsl.errors import DocumentError, Problem
from archdsl.plan.facts import facts
from archdsl.plan.read import Checked, check_model
from archdsl.space import holes
from archdsl.space.deciders import FirstOption, Odometer, Recorder
from archdsl.space.holes import BASE, Decider, Fixed, Hole, Part

TASK = (("image",), ("output", "task"), ("output", "num_classes"))
"""Words that are about the data, not the architecture: a space that fixes them means all models."""
MOST_CHECKED = 100
"""Values of a range; of a longer one, only the ends are checked before a search."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to decide, made by `Space.walk`.

    Args:
        tree: its document, unchecked.
        holes: every hole that was asked for, in that order; those of options not taken are not.
        params: hole name to the label that was chosen.
    """

    tree: Tree
    holes: Sequence[Hole] = field(repr=False)
    params: Mapping[str, Scalar]

    @property
    def model(self) -> Checked:
        """An ordinary model document, checked.

        Raises:
            DocumentError: the decisions do not go together.
        """
        if isinstance(self._checked, DocumentError):
            raise self._checked
        return self._checked

    @property
    def is_valid(self) -> bool:
        """Whether the decisions go together."""
        return not isinstance(self._checked, DocumentError)

    @cached_property
    def facts(self) -> Mapping[str, float]:
        """What is known of it before any cost; keys as in `archdsl.plan.facts`.

        Raises:
            DocumentError: the decisions do not go together.
        """
        return facts(self.model.plan)

    @cached_property
    def _checked(self) -> Checked | DocumentError:
        try:
            return check_model(self.tree)
        except DocumentError as error:
            return error


@dataclass(frozen=True, kw_only=True)
class Space:
    """Bases by label, and what is laid over the chosen one."""

    bases: Mapping[str, Tree]
    overlay: Part

    @property
    def size(self) -> int:
        """How many ways there are to decide, invalid and equal ones included."""
        return max(1, len(self.bases)) * holes.size(self.overlay)

    def holes(self) -> Iterator[Hole]:
        """Every hole, the choice of a base first."""
        if len(self.bases) > 1:
            yield self._base_hole()
        yield from holes.holes(self.overlay)

    def walk(self, decider: Decider) -> Candidate:
        """A candidate, every hole filled by `decider`; it is not checked yet."""
        recorder = Recorder(decider)
        base = None
        if self.bases:
            labels = list(self.bases)
            chosen = recorder.decide(self._base_hole()) if len(labels) > 1 else 0
            base = self.bases[labels[chosen]]
        tree = merge_trees(base, holes.fill(self.overlay, recorder))
        return Candidate(tree=tree, holes=recorder.holes, params=recorder.params)

    def base_candidate(self) -> Checked | None:
        """The (first) base itself, on the study's images and classes; None without a base.

        Raises:
            DocumentError: it does not go with them, or is no model.
        """
        if not self.bases:
            return None
        tree = next(iter(self.bases.values()))
        settled = holes.fixed(self.overlay)
        for path in TASK:
            if settled and settled.at(path):
                tree = merge_trees(tree, settled.only(path))
        return check_model(tree)

    def enumerate(self) -> Iterator[Candidate]:
        """Every way to decide, in a fixed order."""
        return (self.walk(turn) for turn in Odometer().turns())

    def check_options(self) -> list[Problem]:
        """Every option of every hole once, other holes at their first: a sum, not a product."""
        problems: dict[tuple[str, int, int, str], Problem] = {}
        try:
            self.base_candidate()
        except DocumentError as error:
            problems = {_key(each): each for each in error.problems}
        for forced in _each_option(list(self._base_holes()), self.overlay):
            candidate = self.walk(FirstOption(forced))
            try:
                _ = candidate.model
            except DocumentError as error:
                last = next(reversed(forced), None)
                known = next((each for each in candidate.holes if each.name == last), None)
                for each in error.problems:
                    hole = known or self._culprit(each, candidate.holes)
                    blamed = _blamed(each, hole, forced.get(hole.name, 0)) if hole else each
                    problems.setdefault(_key(each), blamed)
        return list(problems.values())

    def _culprit(self, problem: Problem, decided: Sequence[Hole]) -> Hole | None:
        """The hole whose first option a problem goes away without, all others at their first."""
        for hole in decided:
            for index in range(1, min(len(hole.options), MOST_CHECKED)):
                if _key(problem) not in self._problems(FirstOption({hole.name: index})):
                    return hole
        return None

    def _problems(self, decider: Decider) -> set[tuple[str, int, int, str]]:
        try:
            _ = self.walk(decider).model
        except DocumentError as error:
            return {_key(each) for each in error.problems}
        return set()

    def _base_holes(self) -> Iterator[Hole]:
        if len(self.bases) > 1:
            yield self._base_hole()

    def _base_hole(self) -> Hole:
        empty = Tree(value={}, origin=Origin(source=BASE))
        labels = tuple(self.bases)
        options: tuple[Part, ...] = tuple(Fixed(tree=empty) for _ in labels)
        return Hole(name=BASE, labels=labels, options=options, span=None, tree=empty)


def _key(problem: Problem) -> tuple[str, int, int, str]:
    return problem.source, problem.line, problem.column, problem.message


def _each_option(first: list[Hole], part: Part) -> Iterator[dict[str, int]]:
    """Forced decisions: nothing forced, then each option of each hole with what leads to it."""
    yield {}
    for hole in first:
        yield from ({hole.name: index} for index in range(1, len(hole.options)))
    yield from _options_below(part, {})


def _blamed(problem: Problem, hole: Hole, index: int) -> Problem:
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


def _options_below(part: Part, leading: dict[str, int]) -> Iterator[dict[str, int]]:
    if isinstance(part, holes.Branch):
        for child in part.parts.values():
            yield from _options_below(child, leading)
    if isinstance(part, Hole):
        for index, option in enumerate(part.options):
            forced = {**leading, part.name: index}
            if len(part.options) <= MOST_CHECKED or index in (0, len(part.options) - 1):
                yield forced
            yield from _options_below(option, forced)
