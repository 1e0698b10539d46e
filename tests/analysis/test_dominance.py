"""Dominance: by hand, and against its definition. The SQL views: `tests/store/test_front.py`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.analysis.dominance import Point, dominates, losses, no_worse, nondominated


def test_higher_is_better_where_it_is_maximised() -> None:
    objectives = {"top1": "maximize", "latency": "minimize"}
    assert losses({"latency": 2.0, "top1": 70.0, "params": 1.0}, objectives) == (-70.0, 2.0)


def test_equal_points_do_not_dominate_each_other() -> None:
    assert no_worse((1, 2), (1, 2)) and not dominates((1, 2), (1, 2))
    assert dominates((1, 2), (1, 3)) and not dominates((1, 3), (1, 2))
    assert not dominates((0, 3), (1, 2)) and not dominates((1, 2), (0, 3))
    assert nondominated({}) == set()


def _points() -> st.SearchStrategy[list[Point]]:
    """Few different numbers, so that ties and equal points are common."""
    return st.integers(1, 4).flatmap(
        lambda width: st.lists(st.tuples(*[st.integers(0, 4).map(float)] * width), max_size=12)
    )


@pytest.mark.slow
@given(points=_points())
def test_the_front_is_what_nothing_dominates(points: list[Point]) -> None:
    def beats(one: Point, other: Point) -> bool:
        pairs = list(zip(one, other, strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    named = dict(enumerate(points))
    assert all(dominates(a, b) == beats(a, b) for a in points for b in points)
    assert nondominated(named) == {
        key for key, point in named.items() if not any(beats(rival, point) for rival in points)
    }
