"""What a study's trials chose, option by option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archdsl.analysis.choices import MOST_OPTIONS, RANGES, choices
from archdsl.store.store import Store

Made = Callable[..., Any]


def sets(number: int) -> tuple[str, ...]:
    """Settings that make the nth of many different architectures."""
    return (f"depth={1 + number % 20}", f"process.dim={16 * (1 + number // 20)}")


def deciding(made: Made, params: list[dict[str, Any]], top1: Callable[..., float]) -> list[Any]:
    return [
        made(sets=sets(number), params=each, values={"latency": 1.0 + number, "top1": top1(each)})
        for number, each in enumerate(params)
    ]


def test_choices_are_told_option_by_option(fill: Any, made: Made, store: Store) -> None:
    params = [{"depth": n % 3 + 1, "head": "a" if n % 2 else "b"} for n in range(12)]
    for each in params[:4]:
        each["head[a].ratio"] = 0.5
    study = fill([made(values={"latency": 9, "top1": 1}), *deciding(made, params, lambda _: 50)])
    found = {choice.name: choice for choice in choices(store.trials.all(study.id))}
    assert {name: [o.label for o in c.options] for name, c in found.items()} == {
        "depth": ["1", "2", "3"],
        "head": ["a", "b"],
        "head[a].ratio": ["0.5"],
    }
    assert {name: sum(len(o.trials) for o in c.options) for name, c in found.items()} == {
        "depth": 12,
        "head": 12,
        "head[a].ratio": 4,
    }


def test_mappings_are_told_as_documents_say_them(fill: Any, made: Made, store: Store) -> None:
    stems = [{"type": "patch", "patch_size": 4}, {"type": "conv_stem", "strides": [2, 2, 1]}]
    params = [{"embed": str(stems[n % 2])} for n in range(4)]
    study = fill(deciding(made, params, lambda _: 50.0))
    [choice] = choices(store.trials.all(study.id))
    assert [option.label for option in choice.options] == [
        "type conv_stem, strides [2, 2, 1]",
        "type patch, patch_size 4",
    ]


def test_many_numbers_become_ranges(fill: Any, made: Made, store: Store) -> None:
    count = 3 * MOST_OPTIONS
    params = [{"width": 10 * (count - n)} for n in range(count)]
    study = fill(deciding(made, params, lambda _: 50.0))
    [choice] = choices(store.trials.all(study.id))
    assert len(choice.options) == RANGES
    assert choice.options[0].label == "10 to 50"
    assert [len(option.trials) for option in choice.options] == [5] * RANGES
