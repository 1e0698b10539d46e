"""Exceptions by layer: what they mean, and where their mistakes are reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archdsl.plan.plan import BlocksStep, ExchangeStep, Plan
from archdsl.plan.read import read_model

Refused = Callable[[str], list[str]]


@pytest.fixture
def plan_of(tmp_path: Path, valid: str) -> Callable[[str], Plan]:
    def plan(layers: str) -> Plan:
        path = tmp_path / "x.yaml"
        path.write_text(valid.replace("depth: 2", "depth: 6") + f"layers: {layers}\n")
        return read_model(str(path)).plan

    return plan


def words(plan: Plan) -> list[str]:
    return [" ".join(step.word for step in layer) for layer in plan.layers]


ALL = "read process write memory"


@pytest.mark.parametrize(
    ("at", "layers"),
    [
        ("[0]", {0}),
        ("[-1, 2]", {2, 5}),
        ("{first: 2}", {0, 1}),
        ("{last: 1}", {5}),
        ("{every: 3}", {2, 5}),
        ("{every: 1}", set(range(6))),
    ],
)
def test_selections(at: str, layers: set[int], plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of(f"[{{at: {at}, memory: {{block: null}}}}]")
    left_out = {number for number, each in enumerate(words(plan)) if "memory" not in each}
    assert left_out == layers


def test_null_removes_words(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of(
        "[{at: [0], exchange: {write: null}}, {at: [1], exchange: null}, {at: [2], memory: null},"
        " {at: [3], process: {block: null}}]"
    )
    assert words(plan)[:5] == [
        "read process memory",
        "process memory",
        "read process write",
        "read write memory",
        ALL,
    ]


def test_later_exceptions_win_and_merge(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of(
        "[{at: {first: 3}, process: {blocks: 2, block: {mlp_ratio: 1}}},"
        " {at: {last: 4}, process: {blocks: 3}}]"
    )
    steps = [step for layer in plan.layers for step in layer if step.word == "process"]
    found = [
        (len(step.blocks), step.blocks[0].arguments["mlp_dim"])
        for step in steps
        if isinstance(step, BlocksStep)
    ]
    assert found == [(2, 48), (2, 48), (3, 48), (3, 96), (3, 96), (3, 96)]


def test_another_type_replaces_the_block(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of("[{at: [0], process: {block: {type: mlp, mlp_ratio: 1}}}]")
    [step] = [step for step in plan.layers[0] if step.word == "process"]
    assert isinstance(step, BlocksStep)
    assert step.blocks[0].arguments == {"dim": 48, "mlp_dim": 48}


def test_order_and_norm_may_change(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of(
        "[{at: [0], exchange: {order: [memory, write, process, read],"
        " norm: {placement: pre, shared: false}}}]"
    )
    assert words(plan)[0] == "memory write process read"
    step = plan.layers[0][1]
    assert isinstance(step, ExchangeStep)
    assert (step.norm.placement, step.norm.shared) == ("pre", False)


def test_a_word_may_be_there_in_some_layers_only(tmp_path: Path, valid: str) -> None:
    path = tmp_path / "x.yaml"
    start, exchange, rest = valid.partition("exchange:\n")
    head = "{type: linear_attention}"
    path.write_text(
        start
        + f"layers: [{{at: [1], exchange: {{read: {head}, write: {head}}}}}]\n"
        + rest[rest.index("output") :]
    )
    assert exchange
    assert words(read_model(str(path)).plan) == ["process memory", ALL]


# Exceptions, with § where the problem is to be found, and the problem.
MISTAKES = [
    ("{at: [§2], process: {blocks: 2}}",
     "at[0] there is no layer 2; a model of 2 layers has -2 to 1"),
    ("{at: [0, §-3], process: {blocks: 2}}",
     "at[1] there is no layer -3; a model of 2 layers has -2 to 1"),
    ("{at: {last: §3}, process: {blocks: 2}}", "at.last 3 is more than the model's 2 layers"),
    ("{at: {every: §3}, process: {blocks: 2}}", "at.every 3 is more than the model's 2 layers"),
    ("{at: §{first: 1, last: 1}, process: {blocks: 2}}",
     "at give exactly one of first, last, every"),
    ("{at: §{}, process: {blocks: 2}}", "at give exactly one of first, last, every"),
    ("{at: §[], process: {blocks: 2}}", "at 0 values; at least 1"),
    ("{at: §first, process: {blocks: 2}}", "at 'first' is not a list"),
    ("{at: {§frist: 1}, process: {blocks: 2}}", "at.frist unknown key; did you mean 'first'?"),
    ("§{process: {blocks: 2}}", "at missing"),
    ("{at: [0], §proces: {blocks: 2}}", "proces unknown key; did you mean 'process'?"),
    ("{at: [0], process: {§blcks: 2}}", "process.blcks unknown key; did you mean 'blocks'?"),
    ("{at: [0], process: {§dim: 24}}", "process.dim unknown key; known here: block, blocks"),
    ("{at: [0], exchange: {read: {§latent_rato: 1}}}",
     "exchange.read.latent_rato unknown key; did you mean 'latent_ratio'?"),
    ("{at: [0], exchange: {§wirte: null}}", "exchange.wirte unknown key; did you mean 'write'?"),
    ("{at: [0], exchange: {read: {latent_ratio: §big}}}",
     "exchange.read.latent_ratio 'big' is not a number"),
    ("{at: [0], process: §many}", "process 'many' is not a mapping"),
    ("{at: [0], process: {blocks: §many}}", "process.blocks 'many' is not a whole number"),
    ("{at: [0], process: {block: {head_dim: §7}}}",
     "process.block.head_dim 7 does not divide the stream's width 48"),
    ("{at: [0], process: {block: §{num_heads: 4}}}",
     "process.block both are given: give head_dim or num_heads (null removes one)"),
    ("{at: [0], process: {block: §{type: mlp}}}", "process.block.mlp_ratio missing"),
    ("{at: [0], exchange: {read: {latent_ratio: §0.3}}}",
     "exchange.read.latent_ratio 0.3 of the width 48 is 14.4 channels: no whole number for each "
     "of 3 heads; use a multiple of 3/48, such as 0.3125"),
    ("{at: [0], memory: {block: null, blocks: §2}}",
     "memory.blocks has no effect: there is no block to repeat"),
    ("{at: [0], exchange: §{order: [read, process, memory]}}",
     "exchange.write never runs: exchange.order leaves it out"),
    ("§{at: [0]}", "changes nothing; write process, memory or exchange"),
    ("§{at: [0], process: {}}", "changes nothing; write process, memory or exchange"),
]  # fmt: skip


@pytest.mark.parametrize(("exception", "problem"), MISTAKES)
def test_mistakes_are_reported_inside_the_exception(
    exception: str, problem: str, valid: str, refused: Refused
) -> None:
    column = len("  - ") + exception.index("§") + 1
    text = exception.replace("§", "")
    path, _, message = problem.partition(" ")
    where = "layers[1]" if path == "changes" else f"layers[1].{path}"
    message = problem if path == "changes" else message
    rows = refused(f"{valid}layers:\n  - {{at: [0], process: {{blocks: 3}}}}\n  - {text}\n")
    assert rows == [f"19:{column} {where} {message}"]


def test_exceptions_need_a_memory_to_change(valid: str, refused: Refused) -> None:
    alone = valid[: valid.index("memory:\n")]
    block, head = "{block: {type: mlp, mlp_ratio: 1}}", "{read: {type: linear_attention}}"
    assert refused(f"{alone}layers:\n- {{at: [0], memory: {block}, exchange: {head}}}\n") == [
        "10:21 layers[0].memory there is no memory stream",
        "10:67 layers[0].exchange there is no memory stream to exchange with",
    ]


def test_a_wrong_word_of_the_base_is_reported_once(valid: str, refused: Refused) -> None:
    text = valid.replace("head_dim: 16", "head_dim: 7")
    layers = "layers: [{at: [0], process: {blocks: 2}}, {at: [1], exchange: {write: null}}]\n"
    assert refused(text + layers) == [
        "8:40 process.block.head_dim 7 does not divide the stream's width 48"
    ]


def test_exceptions_that_remove_every_exchange(valid: str, refused: Refused) -> None:
    assert refused(valid + "layers: [{at: {every: 1}, exchange: null}]\n") == [
        "10:3 memory no layer reads or writes it; add exchange.read, or remove memory"
    ]
