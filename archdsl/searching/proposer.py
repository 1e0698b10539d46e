"""The next candidate: new, valid, and decided by what has been tried alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.errors import DocumentError, SpaceExhaustedError
from archdsl.identity import canonical_json
from archdsl.plan.facts import facts
from archdsl.plan.read import Checked, check_model
from archdsl.searching.constraints import Constraint
from archdsl.searching.read import CheckedStudy
from archdsl.searching.sampling import Past, Sampling, distributions
from archdsl.space.deciders import Recorder

MOST_REDRAWS = 200
MOST_ENUMERATED = 20_000


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A candidate that is not in the study yet.

    Args:
        model: its checked document and plan.
        facts: what is known of it before any cost.
        params: hole name to label; empty for the base.
        distributions: hole name to what the sampler chose from.
        attributes: what the sampler noted.
        attempt: redraws before it.
        violation: by how much its facts break constraints; 0 when they keep them.
        reason: which constraints, with the values.
    """

    model: Checked
    facts: Mapping[str, float]
    params: Mapping[str, Any]
    distributions: Mapping[str, str]
    attributes: Mapping[str, Any]
    attempt: int
    violation: float = 0.0
    reason: str | None = None


class Proposer:
    """Draws candidates of a study.

    Args:
        checked: the study.
    """

    def __init__(self, *, checked: CheckedStudy) -> None:
        self._space = checked.space
        study = checked.study
        self._constraints = [c for c in study.parsed_constraints() if not c.measured]
        # Decisions made before, and what they came to: to find that out costs more than to draw.
        self._known: dict[str, str | None] = {}
        self._sampling = Sampling(
            kind=study.sampler.type,
            seed=study.sampler.seed,
            directions=list(study.objectives.values()),
        )

    def propose(
        self, *, number: int, past: Sequence[Past], seen: set[str], only_feasible: bool = False
    ) -> Proposal:
        """Candidate `number` of the study.

        Args:
            number: of the trial, from 0.
            past: the study's finished trials, in the order they were finished.
            seen: architectures the study has already.
            only_feasible: give up drawing and look for any candidate whose facts keep the
                constraints.

        Raises:
            SpaceExhaustedError: nothing new is left.
        """
        if number == 0:
            base = self._space.base_candidate()
            if base is not None:
                return self._proposal(base, None, attempt=0)
        for attempt in range(0 if only_feasible else MOST_REDRAWS):
            draw = self._sampling.draw(number=number, attempt=attempt, past=past)
            recorder = Recorder(draw)
            model = self._new(recorder, seen)
            if model:
                return self._proposal(model, recorder, attempt=attempt, attributes=draw.attributes)
        return self._first_left(seen, only_feasible=only_feasible)

    def sample(self, count: int) -> Iterator[Proposal | None]:
        """Random candidates, None for each invalid one: how much of the space is feasible."""
        sampling = Sampling(kind="random", seed=0, directions=["minimize"])
        for attempt in range(count):
            recorder = Recorder(sampling.draw(number=-1, attempt=attempt, past=()))
            model = self._new(recorder, set())
            yield self._proposal(model, recorder, attempt=0) if model else None

    def _new(self, recorder: Recorder, seen: set[str]) -> Checked | None:
        tree = self._space.tree(recorder)
        decided = canonical_json(recorder.params)
        if decided in self._known:
            arch_id = self._known[decided]
            if arch_id is None or arch_id in seen:
                return None
        try:
            model = check_model(tree)
        except DocumentError:
            self._known[decided] = None
            return None
        self._known[decided] = model.plan.arch_id
        return None if model.plan.arch_id in seen else model

    def _proposal(
        self,
        model: Checked,
        recorder: Recorder | None,
        *,
        attempt: int,
        attributes: Mapping[str, Any] | None = None,
    ) -> Proposal:
        known = facts(model.plan)
        broken = [(c, c.violation(known)) for c in self._constraints]
        broken = [(c, excess) for c, excess in broken if excess > 0]
        return Proposal(
            model=model,
            facts=known,
            params=recorder.params if recorder else {},
            distributions=distributions(recorder.holes) if recorder else {},
            attributes=attributes or {},
            attempt=attempt,
            violation=sum(excess for _, excess in broken),
            reason="; ".join(_told(c, known) for c, _ in broken) or None,
        )

    def _first_left(self, seen: set[str], *, only_feasible: bool) -> Proposal:
        """What draws do not find any more, an enumeration does, or proves absent."""
        tried = 0
        for turn in self._space.enumerate():
            if tried == MOST_ENUMERATED:
                break
            tried += 1
            recorder = Recorder(turn)
            model = self._new(recorder, seen)
            if not model:
                continue
            proposal = self._proposal(model, recorder, attempt=MOST_REDRAWS)
            if not only_feasible or not proposal.violation:
                return proposal
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


def _told(constraint: Constraint, known: Mapping[str, float]) -> str:
    left, right = constraint.values(known)
    shown = f"{constraint.right} is {right:g}" if isinstance(constraint.right, str) else ""
    found = f"{constraint.left} is {left:.4g}" + (f" and {shown}" if shown else "")
    return f"{found}, but {constraint.text} is asked for"
