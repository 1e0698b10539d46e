"""Heads and fusions: the arguments of their modules, and what does not fit."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from archdsl.spec.base import words
from archdsl.spec.fusion import Fusion
from archdsl.spec.heads import Head
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape

HEADS: TypeAdapter[Any] = TypeAdapter(Head)
FUSIONS: TypeAdapter[Any] = TypeAdapter(Fusion)


def shape(name: str, *, dim: int, num_heads: int | None = 3) -> StreamShape:
    return StreamShape(name=name, grid=(2, 4), prefix_tokens=1, dim=dim, num_heads=num_heads)


def arguments(head: dict[str, Any], **changes: Any) -> tuple[dict[str, int] | None, list[str]]:
    """Arguments of the module, and the broken rules."""
    rules = Rules()
    found = HEADS.validate_python(head).arguments(
        target=shape("process", dim=24, **changes),
        source=shape("memory", dim=32, **changes),
        rules=rules,
    )
    return found, [f"{'.'.join(map(str, rule.path))}: {rule.message}" for rule in rules.broken]


WIDTHS = {"target_dim": 24, "source_dim": 32}
FITTING: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "cross_attention"}, {**WIDTHS, "num_heads": 3}),
    ({"type": "cross_attention", "num_heads": 4}, {**WIDTHS, "num_heads": 4}),
    ({"type": "latent_attention"}, {**WIDTHS, "latent_dim": 24, "num_heads": 3}),
    ({"type": "latent_attention", "latent_ratio": 0.25},
     {**WIDTHS, "latent_dim": 6, "num_heads": 3}),
    ({"type": "linear_attention", "latent_ratio": 2, "num_heads": 2},
     {**WIDTHS, "latent_dim": 48, "num_heads": 2}),
    ({"type": "token_summary"}, {**WIDTHS, "tokens": 9}),
    ({"type": "linear_attention", "head_dim": 6, "normalise": False, "out_proj": "used"},
     {**WIDTHS, "latent_dim": 24, "num_heads": 4, "normalise": False, "out_proj": True}),
    ({"type": "linear_attention", "out_proj": "allocated"},
     {**WIDTHS, "latent_dim": 24, "num_heads": 3}),
    ({"type": "cross_attention", "norms": ["k", "q"], "out_proj": False},
     {**WIDTHS, "num_heads": 3, "norms": "qk", "out_proj": False}),
    ({"type": "cross_attention", "width": "source", "with_query": True, "num_heads": 4},
     {**WIDTHS, "num_heads": 4, "norms": "", "carried": True, "with_query": True}),
    ({"type": "tied_attention", "renormalise": True}, {**WIDTHS, "renormalise": True}),
    ({"type": "self_attention", "head_dim": 8}, {**WIDTHS, "num_heads": 4}),
    ({"type": "mlp", "mlp_ratio": 0.5}, {**WIDTHS, "mlp_dim": 16}),
]  # fmt: skip


@pytest.mark.parametrize(("head", "expected"), FITTING)
def test_arguments(head: dict[str, Any], expected: dict[str, Any]) -> None:
    assert arguments(head) == (expected, [])


@pytest.mark.parametrize("word", ["cross_attention", "latent_attention", "linear_attention"])
def test_heads_that_do_not_fit(word: str) -> None:
    assert arguments({"type": word, "num_heads": 5}) == (
        None,
        ["num_heads: 5 does not divide the process stream's width 24"],
    )
    assert arguments({"type": word}, num_heads=None) == (
        None,
        ["num_heads: missing: there is no process block to take it from"],
    )


def test_latent_channels_that_do_not_fit() -> None:
    found, [message] = arguments({"type": "latent_attention", "latent_ratio": 0.3})
    assert found is None
    assert message.startswith("latent_ratio: 0.3 of the width 24 is 7.2 channels: no whole number")


def test_token_summaries_need_no_heads() -> None:
    assert arguments({"type": "token_summary"}, num_heads=None)[1] == []


@pytest.mark.parametrize(
    "head",
    [
        {"type": "cross_attention", "latent_ratio": 0.5},
        {"type": "token_summary", "num_heads": 2},
        {"type": "latent_attention", "num_heads": 0},
        {"type": "latent_attention", "latent_ratio": 0},
        {"type": "tied"},
        {"type": "cross_attention", "fusion": "eras"},
        {"type": "cross_attention", "fusion": {"type": "erase", "gate": "shared"}},
        {"type": "cross_attention", "fusion": {"type": "add_erase", "gate": "mine"}},
        {"type": "cross_attention", "fusion": {"gate": "shared"}},
    ],
)
def test_words_nobody_knows(head: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HEADS.validate_python(head)


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("add", "add"),
        ({"type": "erase"}, "erase"),
        ({"type": "add_erase", "gate": "shared"}, "add_erase"),
        ({"type": "add_erase", "gate": "per_layer"}, {"type": "add_erase", "gate": "per_layer"}),
    ],
)
def test_fusions_are_written_as_short_as_they_can_be(written: Any, short: Any) -> None:
    assert FUSIONS.dump_python(FUSIONS.validate_python(written), mode="json") == short


@pytest.mark.parametrize("word", words(Fusion))
def test_only_gates_have_sizes_and_are_shared(word: str) -> None:
    fusion = FUSIONS.validate_python(word)
    gated = word == "add_erase"
    sizes = {"tokens": 9, "dim": 24} if gated else {}
    assert fusion.arguments(tokens=9, dim=24) == sizes
    assert fusion.shared == gated
    assert fusion.cost(**sizes).params == (25 * 9 if gated else 0)
