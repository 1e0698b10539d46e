"""What else is wrong with a document some of whose words cannot be read.

A rule that looks at several words (a width and the heads that divide it, a picture and its patches)
can only be checked on a whole document. So the document is completed twice, from two samples that
differ in everything: once with each doubtful word as `FULL` has it, once without it, or, where it
may not be missing, as `SPARSE` has it. A rule is reported only if both completions break it in the
same words: one that reads a doubtful word is kept by one of them, or quotes another value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Any

from archdsl.document.text import read_text
from archdsl.document.tree import KeyPath, Tree, tree_of
from archdsl.document.validate import Flaw, judge
from archdsl.plan.expand import expand
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import InvalidSpecError, Rule

ROUNDS = 4
"""Repairs before a document is given up: a node filled in may show the next word that is wrong."""

# Complete for the schema; what rules they break themselves, the two do not break in the same words.
# The one entry of `layers` stands in for any; 55440 is divided by every number up to 12.
FULL = """
archdsl: 1
name: x
image: {size: 60}
depth: 1024
process: &stream
  embed: {type: patch, patch_size: 1}
  prefix_tokens: [cls, distillation]
  dim: 60
  block: &block {type: transformer, head_dim: 1, mlp_ratio: 1}
  resize: 55440
memory: *stream
exchange: &exchange
  norm: {placement: none, shared: false}
  read: &head {type: linear_attention, latent_ratio: 1, num_heads: 1,
               fusion: {type: add_erase, gate: per_layer}}
  write: *head
layers:
  - {at: {every: 1}, process: {block: *block}, exchange: *exchange}
output:
  pool: {process: cls, memory: cls}
  norm: {process: tokens, memory: tokens}
  streams: [process]
  combine: concat
  predict: process
published_layout: true
"""
SPARSE = (
    FULL.replace("60", "77")
    .replace("{type: patch, patch_size: 1}", "{type: copy}")
    .replace("[cls, distillation]", "[cls]")
    .replace("head_dim", "num_heads")
)


def certain_rules(tree: Tree, flaws: Sequence[Flaw], doubtful: Iterable[KeyPath]) -> list[Rule]:
    """Rules broken whatever was meant by the words in doubt.

    Args:
        tree: the document.
        flaws: what its schema refuses.
        doubtful: paths of other values in doubt.
    """
    units = sorted({_unit(path) for path in [*_in_doubt(tree, flaws), *doubtful]}, key=len)
    if () in units:
        return []  # nothing of the document is certain
    unknown = [flaw.path for flaw in flaws if flaw.on_key]
    full, sparse = tree.plain(), tree.plain()
    for path in unknown:
        _put(full, path, None)
    for path in units:
        _put(full, path, _value(_sample(FULL), path))
    for path in [*unknown, *units]:
        _put(sparse, path, None)
    broken, as_well = _broken(full, _sample(FULL)), _broken(sparse, _sample(SPARSE))
    return [rule for rule in broken if rule in as_well and not _touched(rule.path, units)]


def _in_doubt(tree: Tree, flaws: Iterable[Flaw]) -> Iterator[KeyPath]:
    """Words whose meaning flaws leave in doubt, among them the one an unknown key stands for, and a
    mapping that says nothing else."""
    for flaw in flaws:
        if not flaw.on_key or flaw.path[0] == "layers":
            yield flaw.path
        elif flaw.meant:
            yield (*flaw.path[:-1], flaw.meant)
        elif _is_alone(tree, flaw.path):
            yield flaw.path[:-1]


def _is_alone(tree: Tree, path: KeyPath) -> bool:
    around = tree.at(path[:-1])
    value = around.value if around else None
    return isinstance(value, Mapping) and len(value) == 1


def _unit(path: KeyPath) -> KeyPath:
    """The words that stand or fall with one: an exception, a list, a node with its type."""
    if path[:1] == ("layers",):
        return path[:2]
    for position, step in enumerate(path):
        around = _at(_sample(FULL), path[:position])
        typed = isinstance(around, dict) and "type" in around
        if isinstance(step, int) or (typed and (step == "type" or step not in around)):
            return path[:position]
    return path


def _touched(path: KeyPath, units: list[KeyPath]) -> bool:
    return any(path[: len(unit)] == unit for unit in units)


def _broken(document: dict[str, Any], sample: dict[str, Any]) -> list[Rule]:
    """Rules that a document breaks, once what its schema refuses is taken from a sample."""
    for _ in range(ROUNDS):
        spec, flaws = judge(tree_of(document, source=""), ModelSpec)
        if spec:
            return _broken_by(spec)
        for flaw in flaws:
            path = flaw.path if flaw.on_key else _unit(flaw.path)
            _put(document, path, None if flaw.on_key else _value(sample, path))
    return []


def _broken_by(spec: ModelSpec) -> list[Rule]:
    try:
        expand(spec)
    except InvalidSpecError as error:
        return list(error.rules)
    return []


def _value(sample: dict[str, Any], path: KeyPath) -> Any:
    """What a sample has at `path`, None where it has nothing."""
    if path[:1] == ("layers",):
        return sample["layers"][0] if len(path) > 1 else None
    return _at(sample, path)


def _put(document: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Write a value at `path`; None removes what is there."""
    around = _at(document, path[:-1])
    if path[:1] == ("layers",) and len(path) > 1:
        exceptions, number = document.get("layers"), path[1]
        if isinstance(exceptions, list) and isinstance(number, int):
            # Never removed: the numbers of the others must not change.
            exceptions[number] = deepcopy(value or {"at": [0]})
    elif isinstance(around, dict) and value is None:
        around.pop(path[-1], None)
    elif isinstance(around, dict):
        around[path[-1]] = deepcopy(value)


def _at(tree: object, path: KeyPath) -> Any:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


@cache
def _sample(text: str) -> dict[str, Any]:
    plain: dict[str, Any] = read_text(text, source="").plain()
    return plain
