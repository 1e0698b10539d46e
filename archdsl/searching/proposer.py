"""The next candidate: new, valid, and decided by what has been tried alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from archdsl.errors import SpaceExhaustedError, StudyError
from archdsl.identity import canonical_json
from archdsl.plan.facts import facts
from archdsl.plan.read import Checked
from archdsl.records import Outcome, State
from archdsl.searching.constraints import broken
from archdsl.searching.read import CheckedStudy
from archdsl.searching.samplers import History, Proposal, Sampler
from archdsl.searching.samplers.optuna import OptunaSampler, distributions
from archdsl.space.space import Candidate
from archdsl.store.rows import Architecture, NewTrial

MOST_REDRAWS = 200
MOST_ENUMERATED = 20_000


class Proposer:
    """Finds candidates of a study: the base, then what its sampler proposes.

    Args:
        checked: the study.
        sampler: in place of the one that the study names.
    """

    def __init__(self, *, checked: CheckedStudy, sampler: Sampler | None = None) -> None:
        self._space = checked.space
        study = checked.study
        self._constraints = study.fact_constraints()
        # Decisions made before, and what they came to: to find that out costs more than to draw.
        self._known: dict[str, str | None] = {}
        self._sampler = sampler or OptunaSampler(
            kind=study.sampler.type, seed=study.sampler.seed, objectives=study.objectives
        )

    def next(
        self, *, number: int, history: History, seen: set[str], only_feasible: bool = False
    ) -> NewTrial:
        """Candidate `number` of the study.

        Args:
            number: of the trial, from 0.
            history: the trials before.
            seen: architectures the study has already.
            only_feasible: ask the sampler no more and look for any candidate whose facts keep the
                constraints.

        Raises:
            SpaceExhaustedError: nothing new is left.
        """
        if number == 0:
            base = self._space.base_candidate()
            if base is not None:
                return self._new(base, attempt=0)
        if not only_feasible:
            proposals = self._sampler.propose(self._space, history, number=number)
            for attempt, proposal in enumerate(self._proposals(proposals)):
                if self._is_new(proposal.candidate, seen):
                    return self._new(proposal.candidate.model, proposal, attempt=attempt)
        return self._first_left(seen, only_feasible=only_feasible)

    def _proposals(self, found: object) -> Iterator[Proposal]:
        """The first of what the sampler gave, which may be anyone's.

        Raises:
            StudyError: it is no proposals.
        """
        if not isinstance(found, Iterable):
            raise self._refusal(found)
        for proposal in islice(found, MOST_REDRAWS):
            if not isinstance(proposal, Proposal):
                raise self._refusal(proposal)
            yield proposal

    def _refusal(self, found: object) -> StudyError:
        return StudyError(
            f"the sampler {type(self._sampler).__qualname__} gave {type(found).__qualname__}; its "
            "propose yields archdsl.searching.samplers.Proposal(candidate=space.walk(decider))"
        )

    def _is_new(self, candidate: Candidate, seen: set[str]) -> bool:
        """Whether it is valid and not in the study."""
        decided = canonical_json(candidate.params)
        if decided not in self._known:
            valid = candidate.is_valid
            self._known[decided] = candidate.model.plan.arch_id if valid else None
        arch_id = self._known[decided]
        return arch_id is not None and arch_id not in seen

    def _new(self, model: Checked, proposal: Proposal | None = None, *, attempt: int) -> NewTrial:
        known = facts(model.plan)
        outcome = self._refused(known)
        return NewTrial(
            architecture=Architecture(
                arch_id=model.plan.arch_id,
                spec=model.spec.document(),
                plan=model.plan.canonical(),
                facts=dict(known),
            ),
            params=proposal.candidate.params if proposal else {},
            distributions=distributions(proposal.candidate.holes) if proposal else {},
            sampler_attrs=proposal.attributes if proposal else {},
            attempt=attempt,
            # Nothing is paid for a broken constraint, so it costs nothing of the budget.
            counted=outcome is None,
            outcome=outcome,
        )

    def _refused(self, known: Mapping[str, float]) -> Outcome | None:
        """What becomes of a model whose facts break constraints; None where they keep them."""
        found = broken(self._constraints, known)
        if found is None:
            return None
        reason, violation = found
        return Outcome(state=State.INFEASIBLE, reason=reason, violation=violation)

    def _first_left(self, seen: set[str], *, only_feasible: bool) -> NewTrial:
        """What is not proposed any more, an enumeration finds, or proves absent."""
        tried = 0
        for candidate in islice(self._space.enumerate(), MOST_ENUMERATED):
            tried += 1
            if not self._is_new(candidate, seen):
                continue
            if not only_feasible or self._refused(facts(candidate.model.plan)) is None:
                proposal = Proposal(candidate=candidate)
                return self._new(candidate.model, proposal, attempt=MOST_REDRAWS)
        size = self._space.size
        extent = f"all {size}" if tried == size else f"the first {tried} of {size}"
        wanted = "new model that keeps the constraints" if only_feasible else "new model"
        base = self._space.base_candidate()
        outside = tried == size and base and base.plan.arch_id not in self._known.values()
        raise SpaceExhaustedError(
            f"space exhausted: {extent} combinations give no {wanted}; "
            f"{len(seen)} architectures were tried"
            + (", one of them the base, which lies outside the space" if outside else "")
        )
