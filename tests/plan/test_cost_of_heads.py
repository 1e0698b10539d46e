"""Costs and identity of documents with the heads and fusions of the paper."""

from __future__ import annotations

import itertools

import pytest

from archdsl.plan.cost import cost
from archdsl.plan.plan import Plan
from archdsl.plan.read import read_model
from archdsl.spec.base import words
from archdsl.spec.fusion import Fusion
from archdsl.spec.heads import Head

TOKEN_BY_TOKEN = ("self_attention", "mlp")
TOKENS, DIM, DEPTH = {"process": 4, "memory": 16}, 64, 4


def digits(*settings: str) -> Plan:
    return read_model("vittm-digits", settings).plan


def of(head: str, fusion: str) -> Plan:
    """The model with a head in every place where it can stand."""
    word = head.partition(",")[0]
    words = {"mlp": "mlp, mlp_ratio: 1"}.get(head, head)
    read = "cross_attention" if word == "tied_attention" else words
    equal = ("process.embed.patch_size=2",) if word in TOKEN_BY_TOKEN else ()
    return digits(
        f"exchange.read={{type: {read}, fusion: {fusion}}}",
        f"exchange.write={{type: {words}, fusion: {fusion}}}",
        *equal,
    )


PER_LAYER = "{type: add_erase, gate: per_layer}"


def test_every_head_and_fusion_is_another_architecture() -> None:
    fusions = [*words(Fusion), PER_LAYER]
    plans = [of(head, fusion) for head, fusion in itertools.product(words(Head), fusions)]
    assert len({plan.arch_id for plan in plans}) == len(plans)


def test_what_is_spelt_differently_is_one_architecture() -> None:
    short = of("cross_attention", "add_erase")
    assert of("cross_attention", "{type: add_erase, gate: shared}").arch_id == short.arch_id
    assert of("cross_attention, num_heads: 4", "add_erase").arch_id == short.arch_id


def test_a_fusion_that_shares_nothing_adds_no_word_to_the_identity() -> None:
    # Plans made before gates could be shared keep their hash.
    assert "shared" not in str(digits().canonical()["layers"][0][0]["fusion"])


def test_parameters_of_heads() -> None:
    square, norm = (DIM + 1) * DIM, 2 * DIM
    base = cost(of("linear_attention, latent_ratio: 1", "add")).params  # q, k, v
    exchanges = 2 * DEPTH
    assert cost(of("cross_attention", "add")).params - base == exchanges * (square + 3 * norm)
    assert cost(of("latent_attention", "add")).params - base == exchanges * (square + 3 * norm)
    summaries = sum((DIM + 1) * n + (n + 1) * n + norm for n in TOKENS.values())
    summary = cost(of("token_summary", "add")).params
    assert summary - base == DEPTH * summaries - exchanges * 3 * square


@pytest.mark.parametrize("head", words(Head))
def test_shared_gates_count_once_and_run_in_every_layer(head: str) -> None:
    plain, shared, own = (cost(of(head, fusion)) for fusion in ("erase", "add_erase", PER_LAYER))
    assert cost(of(head, "add")) == plain
    tokens = 32 if head in TOKEN_BY_TOKEN else sum(TOKENS.values())
    gates = (DIM + 1) * tokens
    assert shared.params - plain.params == gates
    assert own.params - plain.params == DEPTH * gates
    assert shared.macs == own.macs == plain.macs + DEPTH * DIM * tokens


def test_gates_of_single_layers() -> None:
    gate = (DIM + 1) * TOKENS["process"]
    plain = cost(digits()).params
    word = "exchange: {read: {fusion: %s}}"
    one = digits(f"layers=[{{at: [1], {word % 'add_erase'}}}]")
    two = digits(f"layers=[{{at: [1, 3], {word % 'add_erase'}}}]")
    mixed = digits(
        "exchange.read.fusion={type: add_erase, gate: shared}",
        f"layers=[{{at: [1], {word % '{gate: per_layer}'}}}, {{at: [0], {word % 'erase'}}}]",
    )
    found = [cost(plan).params - plain for plan in (one, two, mixed)]
    assert found == [gate, gate, 2 * gate]


def test_cross_attention_costs_targets_times_sources() -> None:
    one, other = (cost(of("cross_attention", "add")), cost(of("latent_attention", "add")))
    products = DEPTH * 2 * 2 * TOKENS["process"] * TOKENS["memory"] * DIM
    assert one.macs - one.macs_fvcore - (other.macs - other.macs_fvcore) == products
