"""Random draws of a space: which constraints on facts they break, and which of them tables hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from archdsl.measuring.evaluators import Evaluator, make_evaluators
from archdsl.measuring.table import RowError
from archdsl.plan.facts import facts
from archdsl.records import Job
from archdsl.runners.profile import RunProfile
from archdsl.searching.before import job_of_model, job_to_check
from archdsl.searching.constraints import Constraint, broken
from archdsl.searching.read import CheckedStudy
from archdsl.searching.samplers import History
from archdsl.searching.samplers.optuna import OptunaSampler
from archdsl.space.base_decisions import base_decisions
from archdsl.space.space import Candidate, Space

_LOG = logging.getLogger(__name__)


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


@dataclass(frozen=True, kw_only=True)
class HeldByTable:
    """How much of what is drawn a table has a quantity of.

    Args:
        table: the file.
        models: different ones that were drawn, with the base.
        held: those it has a value of.
        missing: why it has none of the first of the others, in words; None if there are no others.
    """

    table: str
    models: int
    held: int
    missing: str | None


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


def held_by_tables(
    checked: CheckedStudy, profile: RunProfile, feasible: Sequence[Candidate]
) -> dict[str, HeldByTable]:
    """Of each quantity that a study reads from a table, how much of what is drawn it holds.

    Args:
        checked: the study.
        profile: where it would run.
        feasible: draws whose facts keep the constraints.

    Raises:
        MeasureError: a table that cannot be read, that holds nothing of a quantity, or is of
            another space.
    """
    written = checked.study.evaluate.model_dump(mode="json", exclude_none=True)
    settings = {name: each for name, each in written.items() if "table" in each}
    jobs = _jobs(checked, feasible) if settings else {}
    made = make_evaluators(settings, profile)
    evaluators = [each for each in made if each.quantity in settings]
    asked = job_to_check(checked)
    said = [sentence for each in evaluators for sentence in each.check(asked)]
    for sentence in dict.fromkeys(said):
        _LOG.warning("%s", sentence)
    found = {}
    for evaluator in evaluators:
        missing = [why for job in jobs.values() if (why := _missing(evaluator, job))]
        found[evaluator.quantity] = HeldByTable(
            table=settings[evaluator.quantity]["table"],
            models=len(jobs),
            held=len(jobs) - len(missing),
            missing=missing[0] if missing else None,
        )
    return found


def _jobs(checked: CheckedStudy, feasible: Sequence[Candidate]) -> dict[str, Job]:
    """Each architecture once, as a search would have it evaluated."""
    jobs: dict[str, Job] = {}
    base = checked.space.base_candidate()
    if base and not broken(checked.study.fact_constraints(), facts(base.plan)):
        jobs[base.plan.arch_id] = job_of_model(base, {}, also=base_decisions(checked.space))
    for each in feasible:
        jobs.setdefault(each.model.plan.arch_id, job_of_model(each.model, each.params))
    return jobs


def _missing(evaluator: Evaluator, job: Job) -> str | None:
    """Why a table has no value of a candidate, if it has none."""
    try:
        evaluator.measure(job, report=lambda epoch, value: None)
    except RowError as error:
        return str(error)
    return None
