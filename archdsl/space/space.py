"""The space of a study: bases, a partial document with holes, and the candidates they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from archdsl.document.merge import merge_trees
from archdsl.document.messages import listed
from archdsl.document.tree import Origin, Scalar, Tree
from archdsl.errors import DocumentError, Problem
from archdsl.plan.facts import facts
from archdsl.plan.read import Checked, check_model
from archdsl.space import holes
from archdsl.space.deciders import Odometer, Recorder
from archdsl.space.holes import BASE, Decider, Fixed, Hole, Part

TASK = (("image",), ("output", "task"), ("output", "num_classes"))
"""Words that are about the data, not the architecture: a space that fixes them means all models."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to decide, made by `Space.walk`.

    Args:
        tree: its document, unchecked.
        holes: every hole that was asked for, in that order; those of options not taken are not.
        params: hole name to the label that was chosen.
    """

    tree: Tree = field(repr=False)
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
        return not self.problems

    @property
    def problems(self) -> Sequence[Problem]:
        """Why the decisions do not go together; none where they do."""
        return self._checked.problems if isinstance(self._checked, DocumentError) else ()

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

    def __repr__(self) -> str:
        options = (f"{hole.name} ({len(hole.options)})" for hole in self.holes())
        return f"<Space of {self.size:,} combinations: {listed(list(options), most=6)}>"

    @property
    def size(self) -> int:
        """How many ways there are to decide, invalid and equal ones included."""
        return max(1, len(self.bases)) * holes.size(self.overlay)

    def holes(self) -> Iterator[Hole]:
        """Every hole, the choice of a base first."""
        yield from self.base_holes()
        yield from holes.holes(self.overlay)

    def base_holes(self) -> Iterator[Hole]:
        """The choice of a base, where there are several."""
        if len(self.bases) > 1:
            yield self._base_hole()

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

    def _base_hole(self) -> Hole:
        empty = Tree(value={}, origin=Origin(source=BASE))
        labels = tuple(self.bases)
        options: tuple[Part, ...] = tuple(Fixed(tree=empty) for _ in labels)
        return Hole(name=BASE, labels=labels, options=options, span=None, tree=empty)
