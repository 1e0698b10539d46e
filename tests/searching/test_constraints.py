"""Constraints: how they are written, and when they act."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archdsl.errors import Problem, SpaceExhaustedError
from archdsl.records import State
from archdsl.searching.constraints import ConstraintError, never_kept, parse_constraint
from archdsl.searching.loop import MOST_INFEASIBLE
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult
from archdsl.store.store import Store

DEPTHS = "depth: {choose: [1, 2, 3, 4]}"

ReadStudy = Callable[..., CheckedStudy]
Run = Callable[..., SearchResult]
Table = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("params_m <= 130", "params_m", 130.0),
        ("latency<=250ms", "latency", 250.0),
        ("latency <= 0.25 s", "latency", 250.0),
        ("latency <= 1e3us", "latency", 1.0),
        ("top1 >= 90%", "top1", 90.0),
        ("process_tokens <= memory_tokens", "process_tokens", "memory_tokens"),
        ("depth == 12", "depth", 12.0),
    ],
)
def test_constraints_are_read(text: str, left: str, right: object) -> None:
    read = parse_constraint(text)
    assert (read.left, read.right) == (left, right)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proces_tokens <= 4", "did you mean 'process_tokens'"),
        ("process_tokens <= memory_token", "did you mean 'memory_tokens'"),
        ("latency <= 250", "a bare number does not say how much latency is meant; write 250ms"),
        ("latency <= 250kg", "the unit 'kg' does not say"),
        ("top1 >= 90", "write 90%"),
        ("params <= 5M", "params has no unit; write 5 (or use params_m, in millions)"),
        ("latency <= memory_tokens", "'memory_tokens' is not a number with its unit"),
        ("depth != 3", "operators are <=, >=, <, >, =="),
        ("depth =< 3", "operators are <=, >=, <, >, =="),
        ("depth", "not of the form 'name <= value'"),
        ("depth <=", "not of the form 'name <= value'"),
        ("latency < 5ms", "bounded with <= or >=, not <"),
    ],
)
def test_constraints_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        parse_constraint(text)
    assert message in str(caught.value)


def test_all_wrong_constraints_of_a_study_are_named(
    problems: Callable[..., tuple[Problem, ...]],
) -> None:
    found = problems(DEPTHS, constraints=["dept <= 3", "depth <= 3", "latency <= 5"])
    assert [problem.path for problem in found] == ["constraints[0]", "constraints[2]"]
    assert found[0].line < found[1].line


def test_facts_decide_before_any_cost(
    study: ReadStudy,
    write_values: Callable[[CheckedStudy], None],
    run: Run,
    store: Store,
    trials_table: Callable[[Store], Table],
) -> None:
    checked = study(DEPTHS, constraints=["depth <= 2"], trials=10)
    write_values(checked)
    done = run(checked)
    trials = trials_table(store)
    infeasible = [trial for trial in trials if trial["state"] is State.INFEASIBLE]
    assert {trial["params"]["depth"] for trial in infeasible} == {3, 4}
    assert not any(trial["counted"] for trial in infeasible)
    assert all("but depth <= 2 is asked for" in trial["reason"] for trial in infeasible)
    assert all(not store.measurements.of_arch(trial["arch_id"]) for trial in infeasible)
    assert [trial["state"] for trial in trials].count(State.COMPLETE) == 2
    assert done.ran == 2
    assert "space exhausted: all 4 combinations" in (done.note or "")


@pytest.mark.slow
def test_a_measured_bound_acts_before_the_training(
    study: ReadStudy, folder: Any, run: Run, store: Store, trials_table: Callable[[Store], Table]
) -> None:
    """The slow candidates have no accuracy in the table: asking for it would fail."""
    rows = [",1,60", "1,0.5,50", "2,1,60", "3,8,", "4,9,"]
    (folder / "values.csv").write_text("depth,latency,top1\n" + "\n".join(rows) + "\n")
    checked = study(DEPTHS, constraints=["latency <= 1ms"], trials=10)
    run(checked)
    by_depth = {trial["params"].get("depth", 2): trial for trial in trials_table(store)}
    assert {depth: trial["state"] for depth, trial in by_depth.items()} == {
        1: State.COMPLETE, 2: State.COMPLETE, 3: State.INFEASIBLE, 4: State.INFEASIBLE,
    }  # fmt: skip
    assert by_depth[3]["reason"] == "latency is 8 ms, but latency <= 1 ms is asked for"
    assert by_depth[3]["counted"], "measuring a latency is paid for"
    assert by_depth[3]["violation"] == pytest.approx(7.0)
    assert [m.quantity for m in store.measurements.of_arch(by_depth[3]["arch_id"])] == ["latency"]


def test_an_infeasible_space_says_how_close_it_came(
    study: ReadStudy, write_values: Callable[[CheckedStudy], None], run: Run
) -> None:
    checked = study(DEPTHS, constraints=["params <= 10"])
    write_values(checked)
    with pytest.raises(SpaceExhaustedError) as caught:
        run(checked)
    message = str(caught.value)
    assert "space exhausted: all 4 combinations" in message
    assert "4 of 4 tried break a constraint" in message
    assert "the closest: params is 1" in message
    assert "but params <= 10 is asked for" in message


@pytest.mark.slow
def test_the_only_feasible_candidate_of_a_large_space_is_found(
    study: ReadStudy, write_values: Callable[[CheckedStudy], None], run: Run, store: Store
) -> None:
    """Two hundred draws in a row break the constraint; an enumeration finds what keeps it."""
    space = (
        "depth: {range: [1, 20]}\nexchange: {read: {latent_ratio: {range: [0.5, 10], step: 0.5}}}"
    )
    checked = study(
        space,
        trials=1,
        constraints=["depth >= 20", "params_m >= 0.61"],
        objectives={"latency": "minimize"},
        evaluate={"latency": {"table": "values.csv"}},
        sampler={"type": "random", "seed": 2},
    )
    write_values(checked)
    done = run(checked)
    states = [trial.state for trial in store.trials.all(done.row.id)]
    assert states == [State.INFEASIBLE] * MOST_INFEASIBLE + [State.COMPLETE]


def test_a_base_outside_the_space_is_counted_apart(
    study: ReadStudy, write_values: Callable[[CheckedStudy], None], run: Run
) -> None:
    """The base has depth 2, so three combinations and four architectures."""
    checked = study("depth: {choose: [1, 3, 4]}", constraints=["params <= 10"])
    write_values(checked)
    with pytest.raises(SpaceExhaustedError) as caught:
        run(checked)
    assert "space exhausted: all 3 combinations" in str(caught.value)
    assert "4 architectures were tried, one of them the base, which lies outside the space" in str(
        caught.value
    )


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_search_learns_from_broken_latency_bounds(
    study: ReadStudy, run: Run, store: Store, folder: Path, sampler: str
) -> None:
    """Latency grows with depth and widths; a tenth of the space keeps the bound."""
    rows = [
        f"{depth},{dim},{ratio},{depth * dim * ratio / 16},{depth + dim / 16 + ratio}"
        for depth in range(1, 13)
        for dim in range(16, 208, 16)
        for ratio in range(1, 9)
    ]
    heading = "depth,process.dim,process.block.mlp_ratio,latency,top1"
    (folder / "values.csv").write_text("\n".join([heading, ",,,4,4", *rows]) + "\n")
    kept = {}
    for kind in (sampler, "random"):
        checked = study(
            "depth: {range: [1, 12]}\n"
            "process: {dim: {range: [16, 192], step: 16}, block: {mlp_ratio: {range: [1, 8]}}}",
            name=kind,
            sampler={"type": kind, "seed": 0},
            constraints=["latency <= 40ms"],
            trials=90,
        )
        row = run(checked).row
        states = [trial.state for trial in store.trials.all(row.id)]
        infeasible = [t for t in store.trials.all(row.id) if t.state is State.INFEASIBLE]
        assert all(m.value > 40 for t in infeasible for m in store.measurements.of_arch(t.arch_id))
        assert all(trial.violation > 0 for trial in infeasible)
        kept[kind] = states[45:].count(State.COMPLETE)
    assert kept[sampler] > 1.3 * kept["random"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["latency <= -5ms"], "keep latency <= -5ms: latency is at least 0 ms"),
        (["top1 >= 200%"], "keep top1 >= 200%: top1 is at least 0 % and at most 100 %"),
        (["latency <= 1ms", "latency >= 2ms"], "keep latency <= 1ms and latency >= 2ms"),
        (["depth == 2", "params_m <= 5", "depth > 3"], "keep depth == 2 and depth > 3"),
        (["params < -1"], "keep params < -1: params is at least 0"),
        (["latency <= 5ms", "top1 >= 100%", "process_tokens <= memory_tokens"], None),
    ],
)
def test_what_no_candidate_can_keep(texts: list[str], said: str | None) -> None:
    found = list(never_kept([parse_constraint(text) for text in texts]))
    assert len(found) == (0 if said is None else 1)
    assert said is None or said in found[0]
