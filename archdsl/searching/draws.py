"""Random draws of a space, and which constraints on facts they break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from archdsl.searching.constraints import Constraint, broken
from archdsl.searching.samplers import History
from archdsl.searching.samplers.optuna import OptunaSampler
from archdsl.space.space import Candidate, Space


@dataclass(frozen=True, kw_only=True)
class BrokenConstraint:
    """A constraint that draws break.

    Args:
        share: of all draws.
        constraint: as it is written.
        closest: of the draw that breaks it least, in words.
    """

    share: float
    constraint: str
    closest: str


def draw(space: Space, count: int) -> list[Candidate]:
    """Random candidates, valid or not; the same each time."""
    sampler = OptunaSampler(kind="random", seed=0, objectives={"": "minimize"})
    proposals = sampler.propose(space, History(), number=-1)
    return [proposal.candidate for proposal in islice(proposals, count)]


def broken_constraints(
    constraints: Sequence[Constraint], draws: Sequence[Candidate]
) -> list[BrokenConstraint]:
    """Which constraints on facts the valid ones of some draws break, those of most draws first."""
    valid = [each.facts for each in draws if each.is_valid]
    made = []
    for constraint in constraints:
        found = [each for known in valid if (each := broken([constraint], known))]
        if found:
            closest, _ = min(found, key=lambda each: each[1])
            share = len(found) / len(draws)
            made.append(BrokenConstraint(share=share, constraint=constraint.text, closest=closest))
    return sorted(made, key=lambda each: -each.share)
