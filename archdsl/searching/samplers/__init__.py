"""Samplers: who proposes the candidates of a study.

A sampler has one method, `propose`. It is handed the study's space, its history and the number of
the next trial, and yields proposals, best first; the search takes the first one that is a valid
model and new to the study. What a sampler needs to rank candidates it asks of the space: `walk`
fills every hole by a decider of the sampler's own, and the candidate that comes back tells its
facts before anything is built or measured.

A sampler of one's own is a class in a file of one's own, handed to `archdsl.search(study,
sampler=…)`:

    class Smallest:
        \"""Random candidates, those with the fewest parameters first.\"""

        def decide(self, hole):
            return self.random.randrange(len(hole.options))

        def propose(self, space, history, *, number):
            self.random = Random(number)  # a search that was killed proposes the same again
            drawn = [space.walk(self) for _ in range(20)]
            valid = [candidate for candidate in drawn if candidate.is_valid]
            for candidate in sorted(valid, key=lambda each: each.facts["params"]):
                yield Proposal(candidate=candidate)

A sampler that study documents can name is a file in this folder, its word in `Sampler.type` of
`archdsl/searching/study.py`, and a line in `Proposer` of `archdsl/searching/proposer.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from archdsl.records import State
from archdsl.space.space import Candidate, Space


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """A trial as a sampler sees it.

    Args:
        number: place in the order of proposal, from 0.
        arch_id: its architecture.
        state: what became of it, or that it runs.
        params: the decisions: hole name to the label that was chosen (the number itself, of a
            range); empty for the base.
        distributions: hole name to optuna's JSON of what it was chosen from.
        attributes: what the sampler itself noted (generations of NSGA-II).
        values: objective to value; of a stopped trial the best that could be hoped for; None where
            nothing is known.
        violation: above 0 for everything a sampler should keep away from.
        counted: part of the budget; False where facts alone ruled a candidate out.
        read_facts: looks the facts of an architecture up.
    """

    number: int
    arch_id: str
    state: State
    params: Mapping[str, Any]
    distributions: Mapping[str, str]
    attributes: Mapping[str, Any]
    values: Mapping[str, float] | None
    violation: float
    counted: bool
    read_facts: Callable[[str], Mapping[str, float]] = field(repr=False, compare=False)

    @property
    def facts(self) -> Mapping[str, float]:
        """What is known of its architecture before any cost; keys as in `archdsl.plan.facts`."""
        return self.read_facts(self.arch_id)


@dataclass(frozen=True, kw_only=True)
class History:
    """The trials of a study.

    Args:
        finished: in the order they were finished; from one proposal to the next it only grows, at
            its end.
        read_running: looks the others up.
    """

    finished: Sequence[HistoryRow] = ()
    read_running: Callable[[], Sequence[HistoryRow]] = field(default=tuple, repr=False)

    @cached_property
    def running(self) -> Sequence[HistoryRow]:
        """Those that run now, in this process or another, by number. A sampler that looks at them
        does not propose the same again after a search was killed."""
        return self.read_running()


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A candidate that a sampler would try next.

    Args:
        candidate: of `Space.walk`.
        attributes: what the sampler wants to find in the history again; plain data.
    """

    candidate: Candidate
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Sampler(Protocol):
    """Who proposes candidates."""

    def propose(self, space: Space, history: History, *, number: int) -> Iterator[Proposal]:
        """Candidates for trial `number`, best first.

        Invalid candidates, and those the study has already, are passed over. When the proposals
        end before there is a new one (or go on for too long), the space is enumerated instead.

        Args:
            space: what may be proposed.
            history: what is known of the trials before.
            number: of the trial, from 0.
        """
