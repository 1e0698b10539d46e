"""Two texts with one plan are one architecture; every change of the plan makes another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archdsl.document.shelves import names
from archdsl.document.text import read_text
from archdsl.document.tree import tree_of
from archdsl.document.write import to_yaml
from archdsl.plan.read import check_model, read_model

GOLDEN: dict[str, str] = json.loads((Path(__file__).parent / "assets/arch_ids.json").read_text())

SAME = """\
# Other order, other spelling, defaults written out, another name.
output: {predict: memory, streams: [memory, process], num_classes: 10, pool: mean, task: classify}
exchange:
  write: &head
    fusion: {type: add}
    latent_ratio: 5e-1
    num_heads: 3
    type: linear_attention
  read: *head
  order: [read, process, write, memory]
layers: []
memory:
  blocks: 1
  block: {mlp_ratio: 0.50, type: "mlp"}
  dim: 48
  embed: {patch_size: [4, 4], type: patch}
process:
  block: {mlp_ratio: 2.0, num_heads: 3, type: transformer}
  prefix_tokens: []
  dim: 48
  embed: {patch_size: 8, type: patch}
image: {size: [32, 32]}
depth: 2
kind: model
name: another name
published_layout: true
archdsl: 1
"""


def arch_id(text: str) -> str:
    return check_model(read_text(text, source="x.yaml")).plan.arch_id


def test_shelf_documents_keep_their_identity() -> None:
    assert {name: read_model(name).plan.arch_id for name in names("specs")} == GOLDEN


def test_equal_plans_are_one_architecture(valid: str) -> None:
    assert arch_id(SAME) == arch_id(valid)


def test_exceptions_that_say_the_same_as_the_words_are_no_difference(valid: str) -> None:
    said = valid + "layers: [{at: [0], process: {blocks: 1}, exchange: {norm: {shared: true}}}]\n"
    assert arch_id(said) == arch_id(valid)


def test_the_published_layout_is_no_difference() -> None:
    published = read_model("vittm-b-28-28")
    plain = read_model("vittm-b-28-28", ["published_layout=null"])
    assert published.plan.arch_id == plain.plan.arch_id
    assert published.plan.unused
    assert not plain.plan.unused


CHANGES = [
    ("size: 32", "size: [32, 64]"),
    ("channels: 3", "channels: 1"),
    ("depth: 2", "depth: 3"),
    ("patch_size: 8", "patch_size: 16"),
    ("patch_size: 4", "patch_size: [4, 8]"),
    ("dim: 48", "dim: 96"),
    ("dim: 48", "dim: 48\n  prefix_tokens: [cls]"),
    ("head_dim: 16", "head_dim: 8"),
    ("mlp_ratio: 2", "mlp_ratio: 3"),
    ("mlp_ratio: 0.5", "mlp_ratio: 1"),
    ("  block: {type: mlp, mlp_ratio: 0.5}\n", ""),
    ("placement: replace", "placement: pre"),
    ("shared: true", "shared: false"),
    ("read: {type: linear_attention, latent_ratio: 0.5", "read: {type: linear_attention"),
    ("write: {type: linear_attention, latent_ratio: 0.5", "write: {type: linear_attention"),
    ("  write: {type: linear_attention, latent_ratio: 0.5}\n", ""),
    ("latent_ratio: 0.5", "latent_ratio: 0.5, num_heads: 6"),
    ("exchange:\n", "exchange:\n  order: [read, write, process, memory]\n"),
    ("num_classes: 10", "num_classes: 11"),
    ("predict: memory", "predict: process"),
    ("predict: memory", "predict: mean"),
    ("[memory, process]", "[process, memory]"),
    ("[memory, process]", "[memory]"),
    ("streams: [memory, process]", "norm: {memory: both}"),
    ("output:", "layers: [{at: [0], process: {blocks: 2}}]\noutput:"),
    ("output:", "layers: [{at: [1], process: {blocks: 2}}]\noutput:"),
]


def test_every_difference_makes_another_architecture(valid: str) -> None:
    found = {arch_id(valid): "as it is"}
    for old, new in CHANGES:
        assert old in valid
        identity = arch_id(valid.replace(old, new))
        assert identity not in found, f"{new!r} equals {found.get(identity)!r}"
        found[identity] = new


@pytest.mark.parametrize("name", names("specs"))
def test_normalised_documents_say_the_same(name: str) -> None:
    checked = read_model(name)
    text = to_yaml(checked.spec.document())
    again = check_model(read_text(text, source="x.yaml"))
    assert again.plan == checked.plan
    assert again.spec == checked.spec
    assert check_model(tree_of(checked.spec.document(), source="x")).plan == checked.plan


@pytest.mark.parametrize("name", names("specs"))
def test_a_plan_is_plain_json(name: str) -> None:
    canonical = read_model(name).plan.canonical()
    assert json.loads(json.dumps(canonical)) == canonical
