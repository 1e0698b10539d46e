"""What distinguishes a model from the base: words of documents, no more than was decided."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from archdsl.plan.read import read_model
from archdsl.space.difference import difference, format_option

LINEAR = {"type": "linear_attention"}
CROSS = {"type": "cross_attention"}


def document(read: dict[str, Any] | None, **words: Any) -> dict[str, Any]:
    found = deepcopy(dict(read_model("vittm-digits").spec.document()))
    return {**found, "exchange": {**found["exchange"], "read": read}, **words}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (CROSS, LINEAR, "type cross_attention → linear_attention"),
        (LINEAR, CROSS, "type linear_attention → cross_attention"),
        (
            CROSS,
            {**LINEAR, "out_proj": "used"},
            "type cross_attention → linear_attention, exchange.read.out_proj true → used",
        ),
        (CROSS, {**CROSS, "out_proj": False}, "out_proj true → false"),
        (CROSS, {**CROSS, "norms": ["q"]}, 'norms ["q"]'),
        (
            {**LINEAR, "latent_ratio": 0.25},
            {"type": "latent_attention", "latent_ratio": 0.5},
            "type linear_attention → latent_attention, exchange.read.latent_ratio 0.25 → 0.5",
        ),
        (None, LINEAR, "type linear_attention"),
    ],
)
def test_words_of_another_type_are_no_difference_where_nobody_chose_them(
    before: dict[str, Any], after: dict[str, Any], said: str
) -> None:
    assert difference(document(before), document(after)) == f"exchange.read.{said}"


def test_values_are_written_as_in_documents() -> None:
    exceptions = [{"at": [-1], "exchange": {"write": None}}]
    said = difference(document(LINEAR), document(LINEAR, layers=exceptions))
    assert said == 'layers [] → [{"at": [-1], "exchange": {"write": null}}]'


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (
            str({"type": "mlp", "mlp_ratio": 0.5, "norm": {"shared": True}}),
            "type mlp, mlp_ratio 0.5, norm.shared true",
        ),
        (None, "null"),
        (8, "8"),
        ("pre", "pre"),
        ("{", "{"),
        ("{1, 2}", "{1, 2}"),
    ],
)
def test_options_are_written_as_in_documents(label: Any, said: str) -> None:
    assert format_option(label) == said
