"""The decisions that would lead to a base, whatever way the holes are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from archdsl.searching.read import CheckedStudy
from archdsl.space.base_decisions import base_decisions

# `tiny` has depth 2, width 32, a ratio of 1, patches of 4 and 2, and no memory block.
SPACES: Mapping[str, Mapping[str, Any]] = {
    "depth: {range: [1, 3]}": {"depth": 2},
    "process: {dim: {choose: [16, 32]}, block: {mlp_ratio: {range: [0.5, 2], step: 0.5}}}": {
        "process.dim": 32,
        "process.block.mlp_ratio": 1.0,
    },
    "process: {embed: {patch_size: {choose: [2, 4]}}}": {"process.embed.patch_size": 4},
    "exchange: {norm: {placement: {choose: [pre, replace]}}}": {
        "exchange.norm.placement": "replace"
    },
    "memory: {block: {choose: {mlp: {type: mlp, mlp_ratio: 0.5}, none: null}}}": {
        "memory.block": "none"
    },
    "exchange:\n"
    "  read: {choose: {\n"
    "    linear: {type: linear_attention, latent_ratio: {choose: [0.25, 0.5]}, fusion: add},\n"
    "    latent: {type: latent_attention, latent_ratio: 0.5, fusion: add}}}": {
        "exchange.read": "linear",
        "exchange.read[linear].latent_ratio": 0.5,
    },
    "exchange:\n"
    "  read: {latent_ratio: {choose: [0.25, 0.5], as: ratio}}\n"
    "  write: {latent_ratio: {same: ratio}}": {"ratio": 0.5},
    "choose: {deep: {depth: 4}, own: {depth: 2, process: {dim: {choose: [16, 32]}}}}": {
        "space": "own",
        "space[own].process.dim": 32,
    },
    "depth: {choose: [1, 3]}": {},
    "exchange:\n"
    "  read: {latent_ratio: {choose: [0.5], as: ratio}}\n"
    "  write: {fusion: {choose: [erase, add_erase]}}": {},
}


@pytest.mark.parametrize("space", SPACES)
def test_the_decisions_of_a_base(study: Callable[..., CheckedStudy], space: str) -> None:
    assert base_decisions(study(space).space) == SPACES[space]


def test_the_first_of_several_bases_is_one_decision_more(
    study: Callable[..., CheckedStudy], folder: Path
) -> None:
    (folder / "wide.yaml").write_text(
        (folder / "tiny.yaml").read_text().replace("dim: 32", "dim: 64")
    )
    checked = study("depth: {choose: [1, 2]}", base={"choose": ["tiny", "wide"]})
    assert base_decisions(checked.space) == {"base": "tiny", "depth": 2}


def test_a_space_without_a_base_has_none(study: Callable[..., CheckedStudy], folder: Path) -> None:
    whole = (folder / "tiny.yaml").read_text()
    assert base_decisions(study(whole, base=None).space) == {}
