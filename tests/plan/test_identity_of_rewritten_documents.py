"""Equal plans are one architecture however they are written; different plans are two."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archdsl.document.text import read_text
from archdsl.plan.read import Checked, check_model

FEW = settings(
    max_examples=100,
    # The folder that every test here stands in is not written to.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

CHOICES: dict[str, list[Any]] = {
    "size": [16, 32, [16, 32]],
    "channels": [1, 3],
    "depth": [1, 2, 3],
    "dim": [32, 64, 96],
    "head_dim": [8, 16],
    "mlp_ratio": [1, 2, 4],
    "patch_size": [2, 4],
    "placement": ["replace", "pre"],
    "shared": [True, False],
    "read_ratio": [0.25, 0.5],
    "write_ratio": [0.25, 0.5],
    "read_fusion": ["add", "erase", "add_erase"],
    "write_fusion": ["add", "erase", "add_erase"],
    "memory_block": [None, 1, 0.5],
    "num_classes": [10, 11],
    "predict": ["memory", "process", "mean"],
    "bare_last_write": [False, True],
}
"""What is decided of a document; no two ways to decide make the same network."""

decided = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()})


def document(said: dict[str, Any]) -> dict[str, Any]:
    """Every decision is seen by a network of any depth."""
    heads = {
        word: {
            "type": "linear_attention",
            "latent_ratio": said[f"{word}_ratio"],
            "fusion": said[f"{word}_fusion"],
        }
        for word in ("read", "write")
    }
    memory: dict[str, Any] = {"embed": {"type": "patch", "patch_size": said["patch_size"]}}
    if said["memory_block"] is not None:
        memory["block"] = {"type": "mlp", "mlp_ratio": said["memory_block"]}
    found = {
        "archdsl": 1,
        "name": "some",
        "image": {"size": said["size"], "channels": said["channels"]},
        "depth": said["depth"] + 1,
        "process": {
            "embed": {"type": "patch", "patch_size": 8},
            "dim": said["dim"],
            "block": {
                "type": "transformer",
                "head_dim": said["head_dim"],
                "mlp_ratio": said["mlp_ratio"],
            },
        },
        "memory": memory,
        "exchange": {
            "norm": {"placement": said["placement"], "shared": said["shared"]},
            **heads,
        },
        "output": {
            "task": "classify",
            "num_classes": said["num_classes"],
            "pool": "mean",
            "streams": ["memory", "process"],
            "predict": said["predict"],
        },
    }
    if said["bare_last_write"]:
        found["layers"] = [{"at": [-1], "exchange": {"write": None}}]
    return found


def checked(text: str) -> Checked:
    return check_model(read_text(text, source="x.yaml"))


def identity(text: str) -> str:
    return checked(text).plan.arch_id


class Aliases(yaml.SafeDumper):
    """Writes what is said twice once, and refers to it."""


def rewritten(tree: dict[str, Any], draw: random.Random) -> str:
    """The same document in another order and style, with comments, and another name."""
    seen: dict[str, Any] = {}

    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(child) for child in value]
        if not isinstance(value, dict):
            return value
        # Equal mappings become one object, which the dumper writes once and refers to.
        known = seen.setdefault(json.dumps(value, sort_keys=True), {})
        if not known:
            for key in draw.sample(list(value), len(value)):
                known[key] = shuffled(value[key])
        return known

    text = yaml.dump(
        {**shuffled(tree), "name": f"model {draw.randrange(100)}"},
        Dumper=Aliases,
        sort_keys=False,
        default_flow_style=draw.choice([True, False, None]),
        width=draw.choice([20, 200]),
    )
    return f"# {draw.random()}\n{text}# the end\n"


@pytest.mark.slow
@FEW
@given(said=decided, seed=st.integers(0, 2**32))
def test_order_style_comments_and_aliases_are_no_difference(
    said: dict[str, Any], seed: int
) -> None:
    tree = document(said)
    expected = identity(yaml.safe_dump(tree))
    assert identity(rewritten(tree, random.Random(seed))) == expected


def with_defaults(tree: dict[str, Any]) -> dict[str, Any]:
    """The document with words written out that it leaves to their defaults."""
    memory = {"dim": tree["process"]["dim"], **tree["memory"]}
    if "block" in memory:
        memory["blocks"] = 1
    return {
        "kind": "model",
        "layers": [],
        **tree,
        "process": {"blocks": 1, "prefix_tokens": [], **tree["process"]},
        "memory": memory,
        "exchange": {"order": ["read", "process", "write", "memory"], **tree["exchange"]},
    }


@pytest.mark.slow
@FEW
@given(said=decided, seed=st.integers(0, 2**32))
def test_defaults_written_or_not_are_no_difference(said: dict[str, Any], seed: int) -> None:
    tree = document(said)
    plain = checked(yaml.safe_dump(tree))
    normal = plain.spec.document()
    assert len(str(normal)) < len(str(tree)) < len(str(with_defaults(tree)))
    for same in (normal, with_defaults(tree)):
        again = checked(rewritten(same, random.Random(seed)))
        assert again.plan == plain.plan
        assert again.plan.arch_id == plain.plan.arch_id


@pytest.mark.slow
@FEW
@given(one=decided, other=decided)
def test_different_decisions_are_different_architectures(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = (checked(yaml.safe_dump(document(each))).plan for each in (one, other))
    assert (first.arch_id == second.arch_id) == (one == other)
    assert (first == second) == (one == other)


@pytest.mark.slow
@FEW
@given(said=decided, name=st.sampled_from(sorted(CHOICES)), seed=st.integers(0, 100))
def test_every_single_change_is_a_difference(said: dict[str, Any], name: str, seed: int) -> None:
    others = [value for value in CHOICES[name] if value != said[name]]
    changed = {**said, name: random.Random(seed).choice(others)}
    assert identity(yaml.safe_dump(document(said))) != identity(yaml.safe_dump(document(changed)))


def test_aliases_were_written() -> None:
    said = {name: values[0] for name, values in CHOICES.items()}
    assert "*id001" in rewritten(document(said), random.Random(0))
