"""What cannot be told apart: by hand, and what it has to do with the two fronts."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from archdsl.analysis.dominance import no_worse
from archdsl.analysis.indistinguishable import indistinguishable
from archdsl.records import State
from archdsl.store.rows import Trial, Value

Interval = tuple[float, float, float]
"""low, value, high"""


def trial(number: int, *intervals: Interval) -> Trial:
    return Trial(
        id=number, study_id=1, number=number, arch_id=str(number), state=State.COMPLETE, params={},
        distributions={}, sampler_attrs={}, attempt=0, counted=True, violation=0.0, reason=None,
        seconds=0.0, finish_order=number + 1, started="", finished="",
        values={
            f"o{place}": Value(low=low, value=value, high=high)
            for place, (low, value, high) in enumerate(intervals)
        },
    )  # fmt: skip


def test_intervals_that_overlap_everywhere() -> None:
    found = indistinguishable(
        [
            trial(0, (1, 2, 3), (1, 2, 3)),
            trial(1, (3, 4, 5), (0, 1, 1)),  # touches in both
            trial(2, (2, 2, 2), (4, 5, 6)),  # apart in the second
            trial(3, (5.5, 6, 7), (0, 2, 3)),  # apart in the first
        ]
    )
    assert found == {0: (1,), 1: (0,)}


def test_equal_for_certain_is_not_unclear() -> None:
    exact = [trial(0, (1, 1, 1)), trial(1, (1, 1, 1))]
    assert indistinguishable(exact) == {}
    assert indistinguishable([*exact, trial(2, (0, 1, 2))]) == {0: (2,), 1: (2,), 2: (0, 1)}
    assert indistinguishable([]) == {}


def test_members_alone_say_something_of_others() -> None:
    trials = [trial(number, (0, 1, 2)) for number in range(3)]
    assert indistinguishable(trials, members={1}) == {0: (1,), 1: (0, 2), 2: (1,)}


def test_thousands_that_are_all_alike_are_soon_known() -> None:
    many = 5000
    trials = [trial(number, (0, number, many), (0, 1, 2)) for number in range(many)]
    started = time.process_time()
    found = indistinguishable(trials)
    assert time.process_time() - started < 2.0
    assert {len(others) for others in found.values()} == {many - 1}
    assert found[7][:8] == (0, 1, 2, 3, 4, 5, 6, 8)


def _intervals(width: int) -> st.SearchStrategy[list[Interval]]:
    one = st.builds(
        lambda value, below, above: (value - below, value, value + above),
        *(st.integers(0, high).map(float) for high in (6, 3, 3)),
    )
    return st.lists(one, min_size=width, max_size=width)


def _values(trial: Trial) -> list[float]:
    return [each.value for each in trial.values.values()]


def _beats(one: Trial, other: Trial, *, robust: bool) -> bool:
    return no_worse(_values(one), _values(other)) and any(
        mine.high < theirs.low if robust else mine.value < theirs.value
        for mine, theirs in zip(one.values.values(), other.values.values(), strict=True)
    )


@given(points=st.integers(1, 3).flatmap(lambda width: st.lists(_intervals(width), max_size=12)))
def test_what_only_the_robust_front_keeps_cannot_be_told_from_a_member(
    points: list[list[Interval]],
) -> None:
    trials = [trial(number, *point) for number, point in enumerate(points)]
    front, robust = (
        [t for t in trials if not any(_beats(rival, t, robust=kind) for rival in trials)]
        for kind in (False, True)
    )
    members = {t.number for t in front}
    found = indistinguishable(robust)
    for kept in robust:
        if kept.number not in members:
            assert members & set(found[kept.number])
    for number, others in found.items():
        assert all(number in found[other] and other != number for other in others)
