"""Which points of many are drawn."""

from __future__ import annotations

from archdsl.reporting.plots.points import spread, thinned
from tests.fixtures.complete_trials import complete


def test_thinning_keeps_members_the_base_and_what_is_like_a_member() -> None:
    points = [
        complete(
            n,
            {"latency": n, "top1": n},
            member=n % 50 == 0,
            base=n == 7,
            indistinguishable=(0,) if n in (1, 3) else (),
        )
        for n in range(500)
    ]
    drawn = thinned(points, most=40)
    assert len(drawn) == 40
    assert [p for p in points if p.member or p.base or p.indistinguishable] == [
        p for p in drawn if p.member or p.base or p.indistinguishable
    ]
    assert [p.trial.number for p in drawn] == sorted(p.trial.number for p in drawn)
    assert thinned(points, most=40) == drawn
    assert thinned(points, most=500) == points
    assert len(thinned(points, most=3)) == 11, "members and the base are always drawn"


def test_a_spread_has_both_ends() -> None:
    assert spread(range(100), most=4) == [0, 33, 66, 99]
    assert spread(range(3), most=4) == [0, 1, 2]
