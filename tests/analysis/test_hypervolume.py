"""The hypervolume: against counted cells, and as a study's trials come in."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.analysis.hypervolume import growth, hypervolume
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult
from archdsl.searching.study import reference_point
from archdsl.store.store import Store

ReadStudy = Callable[..., CheckedStudy]
Run = Callable[..., SearchResult]

SPACE = "depth: {choose: [1, 2, 3, 4]}"
TABLE = "depth,latency,top1\n,2,60\n1,1,50\n3,3,55\n4,4,70\n"


@given(
    points=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.tuples(*[st.integers(0, 5)] * width), max_size=8)
    )
)
def test_as_many_cells_as_are_dominated(points: list[tuple[int, ...]]) -> None:
    if not points:
        return
    width, side = len(points[0]), 4
    cells = sum(
        any(all(a <= b for a, b in zip(point, cell, strict=True)) for point in points)
        for cell in product(range(side), repeat=width)
    )
    assert hypervolume([tuple(map(float, p)) for p in points], (float(side),) * width) == cells


def _grown(store: Store, done: SearchResult) -> Any:
    row = done.row
    stated = reference_point(row.document.get("reference"), row.objectives)
    return growth(row, store.trials.all(row.id), stated=stated)


def test_against_the_stated_reference(
    study: ReadStudy, run: Run, store: Store, folder: Any
) -> None:
    (folder / "values.csv").write_text(TABLE)
    found = _grown(store, run(study(SPACE, trials=4, reference={"latency": "0.005s", "top1": 40})))
    assert found.stated
    assert found.reference == {"latency": 5.0, "top1": 40.0}
    assert found.value == pytest.approx((5 - 1) * 10 + (5 - 2) * 10 + (5 - 4) * 10)
    values = [value for _, value in found.series]
    assert found.series[0] == (0, pytest.approx((5 - 2) * 20))
    assert values == sorted(values)
    assert dict(found.series)[found.last_grew] == found.value
    grew = [number for number, value in found.series if value < found.value]
    assert all(number < found.last_grew for number in grew), "with one worker, in order"


def test_the_base_stands_in_for_a_reference(
    study: ReadStudy, run: Run, store: Store, folder: Any
) -> None:
    (folder / "values.csv").write_text(TABLE + "5,1.5,62\n")
    found = _grown(store, run(study("depth: {choose: [1, 3, 4, 5]}", trials=5)))
    assert not found.stated
    assert found.reference == {"latency": 2.0, "top1": 60.0}
    assert found.value == pytest.approx(0.5 * 2)
    assert found.series[0] == (0, 0.0)


def test_a_base_without_values_leaves_the_worst_there_are(
    study: ReadStudy, run: Run, store: Store, folder: Any
) -> None:
    (folder / "values.csv").write_text(TABLE)
    found = _grown(store, run(study(SPACE, trials=4, constraints=["depth >= 3", "depth <= 4"])))
    assert (found.reference_from, found.reference) == ("worst", {"latency": 4.0, "top1": 55.0})
    with_more = study(SPACE, trials=4, constraints=["latency >= 2.5ms"], name="again")
    assert _grown(store, run(with_more)).reference_from == "worst"


def test_without_reference_and_base_there_is_none(
    study: ReadStudy, run: Run, store: Store, folder: Any
) -> None:
    (folder / "values.csv").write_text(TABLE)
    text = (folder / "tiny.yaml").read_text()
    assert _grown(store, run(study(f"{text}\n".replace("depth: 2", SPACE), base=None))) is None


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"latency": 300, "top1": 50}, "a bare number does not say how much latency is meant"),
        ({"latency": "300ms"}, "missing: top1"),
        ({"latency": "300ms", "top1": "50ms"}, "the unit 'ms' does not say how much top1"),
        ({"latency": "300ms", "top1": 50, "param": 1}, "'param' is not one of"),
        ({"latency": "quick", "top1": 50}, "'quick' is not a number with its unit"),
    ],
)
def test_references_that_say_no_point(
    problems: Callable[..., Any], reference: dict[str, Any], message: str
) -> None:
    found = problems(SPACE, reference=reference)
    assert any(each.path == "reference" and message in each.message for each in found), found
    assert all(each.line for each in found)


def test_a_reference_may_be_any_spelling_of_one_point(study: ReadStudy) -> None:
    for reference in ({"latency": "300ms", "top1": "50%"}, {"top1": 50.0, "latency": "0.3 s"}):
        checked = study(SPACE, reference=reference)
        assert checked.study.document()["reference"] == reference
    assert "reference" not in study(SPACE).study.document(), "older studies stay the same"
