"""The space around models of every head and fusion has valid options only."""

from __future__ import annotations

from typing import Any

import pytest

from archdsl.document.merge import merge_trees
from archdsl.document.tree import tree_of
from archdsl.plan.read import check_model, read_model
from archdsl.space.neighbourhood import neighbourhood
from archdsl.spec.base import words
from archdsl.spec.fusion import Fusion
from archdsl.spec.heads import Head


def first_options(space: dict[str, Any]) -> dict[str, Any]:
    """Every hole at its first option: the model's own values."""
    if "choose" in space:
        options = space["choose"]
        return next(iter(options.values())) if isinstance(options, dict) else options[0]
    return {key: first_options(value) for key, value in space.items()}


@pytest.mark.parametrize("fusion", words(Fusion))
@pytest.mark.parametrize("head", words(Head))
def test_every_head_has_a_neighbourhood(head: str, fusion: str) -> None:
    words = {"mlp": "mlp, mlp_ratio: 1"}.get(head, head)
    read = "cross_attention" if head == "tied_attention" else words
    settings = [
        f"exchange.read={{type: {read}, fusion: {fusion}}}",
        f"exchange.write={{type: {words}, fusion: {fusion}}}",
    ]
    if head in ("self_attention", "mlp"):
        settings.append("process.embed.patch_size=2")
    model = read_model("vittm-digits", settings)
    space = neighbourhood(model)
    assert {"depth", "process", "memory", "exchange"} <= space.keys()
    own = merge_trees(model.tree, tree_of(first_options(space), source="first"))
    assert check_model(own).plan == model.plan
    sized = head in ("linear_attention", "latent_attention")
    assert ("latent_ratio" in space["exchange"].get("read", {})) == sized
