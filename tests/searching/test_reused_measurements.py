"""A value is used again exactly where everything that may change it is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archdsl.identity import digest
from archdsl.measuring.conditions import Conditions
from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.interfaces import JobSource
from archdsl.searching.read import CheckedStudy
from archdsl.store.rows import Architecture
from archdsl.store.store import Store, open_store

Begin = Callable[..., JobSource]

ACCURACY = {
    "evaluator": "top1/1",
    "data": "0123456789abcdef",
    "recipe": {"epochs": 15, "lr": 0.003, "augment": "none"},
    "seeds": [0],
    "split_seed": 0,
}
OTHER_ACCURACIES: Mapping[str, Mapping[str, Any]] = {
    "evaluator": {"evaluator": "top1/2"},
    "data": {"data": "0123456789abcdee"},
    "recipe": {"recipe": {**ACCURACY["recipe"], "lr": 0.002}},  # type: ignore[dict-item]
    "epochs": {"recipe": {**ACCURACY["recipe"], "epochs": 16}},  # type: ignore[dict-item]
    "seed": {"seeds": [1]},
    "more seeds": {"seeds": [0, 1]},
    "split": {"split_seed": 1},
}
LATENCY = {
    "evaluator": "latency/2",
    "batch": 64,
    "dtype": "float32",
    "threads": 1,
    "fingerprint": {"device": "Some CPU", "torch": "2.11.0", "threads": 2, "driver": None},
}
OTHER_LATENCIES: Mapping[str, Mapping[str, Any]] = {
    "evaluator": {"evaluator": "latency/3"},
    "batch": {"batch": 65},
    "dtype": {"dtype": "bfloat16"},
    "threads": {"threads": 2},
    **{
        f"fingerprint {name}": {"fingerprint": {**LATENCY["fingerprint"], name: "other"}}  # type: ignore[dict-item]
        for name in ("device", "torch", "threads", "driver")
    },
}


def outcome(protocols: Mapping[str, Mapping[str, Any]], value: float) -> Outcome:
    units = {"latency": "ms", "top1": "%"}
    return Outcome(
        state=State.COMPLETE,
        measurements=tuple(
            Measurement(
                quantity=name, value=value, low=value, high=value, unit=units[name], protocol=each
            )
            for name, each in protocols.items()
        ),
    )


@pytest.fixture
def known_later(
    study: Callable[..., CheckedStudy], begin: Begin
) -> Callable[..., dict[str, float]]:
    """What a second study is told of the first one's base, under protocols of its own."""
    first = {"latency": LATENCY, "top1": ACCURACY}

    def told(**changed: Mapping[str, Any]) -> dict[str, float]:
        before = begin(study("depth: {choose: [1, 2]}"), protocols=first)
        job = before.next_job()
        assert job is not None
        assert job.known == ()
        before.on_outcome(job, outcome(first, 3.5))
        again = begin(
            study("depth: {choose: [1, 3]}", name="again"), protocols={**first, **changed}
        )
        same: Job | None = again.next_job()
        assert same is not None
        assert same.arch_id == job.arch_id
        return {each.quantity: each.value for each in same.known}

    return told


def test_what_was_measured_alike_is_used_again(
    known_later: Callable[..., dict[str, float]],
) -> None:
    assert known_later() == {"latency": 3.5, "top1": 3.5}


@pytest.mark.parametrize("changed", list(OTHER_ACCURACIES))
def test_an_accuracy_is_not_used_again_for_another(
    known_later: Callable[..., dict[str, float]], changed: str
) -> None:
    assert known_later(top1={**ACCURACY, **OTHER_ACCURACIES[changed]}) == {"latency": 3.5}


@pytest.mark.parametrize("changed", list(OTHER_LATENCIES))
def test_a_latency_is_not_used_again_for_another(
    known_later: Callable[..., dict[str, float]], changed: str
) -> None:
    assert known_later(latency={**LATENCY, **OTHER_LATENCIES[changed]}) == {"top1": 3.5}


def test_every_condition_of_a_latency_is_part_of_its_key() -> None:
    """But for how long and how well it is measured, which changes the interval alone."""
    plain = Conditions(device="cpu", batch=8)
    keyed = plain.keyed()
    assert keyed["batch"] == 8
    for changed in ({"batch": 9}, {"threads": 2}, {"dtype": "bfloat16"}, {"heads": "predicted"}):
        assert Conditions.model_validate({"device": "cpu", "batch": 8, **changed}).keyed() != keyed


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(str(tmp_path_factory.mktemp("shared") / "shared.db")) as opened:
        opened.measurements.add(Architecture(arch_id="aa"), [])
        yield opened


protocols = st.dictionaries(
    st.sampled_from(["evaluator", "data", "recipe", "seeds", "batch", "fingerprint"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, "a", "0", ""]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
        max_leaves=4,
    ),
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stored=protocols, asked=protocols, number=st.integers(0, 10**9))
def test_no_two_protocols_share_a_key(
    shared: Store, stored: dict[str, Any], asked: dict[str, Any], number: int
) -> None:
    """Also where Python calls two values equal: 1 and true, 0 and 0.0."""
    quantity = digest([number, repr(stored), repr(asked)])  # of this example alone
    made = Measurement(quantity=quantity, value=1.0, low=1.0, high=1.0, unit="ms", protocol=stored)
    wanted = replace(made, protocol=asked)
    shared.measurements.record("aa", made)
    found = shared.measurements.find(arch_id="aa", quantity=quantity, key=wanted.key)
    assert (found is not None) == (told_apart(stored) == told_apart(asked))
    assert shared.measurements.find(arch_id="bb", quantity=quantity, key=made.key) is None


def told_apart(value: Any) -> str:
    """A text that is the same for the same mapping in another order, and for nothing else."""
    if isinstance(value, dict):
        return str({key: told_apart(value[key]) for key in sorted(value)})
    if isinstance(value, list):
        return str([told_apart(child) for child in value])
    return repr(value)
