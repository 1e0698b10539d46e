"""What else is wrong with a document some of whose words cannot be read.

A rule counts as broken only if it is, in the same words, however the doubtful words are filled in:
once all with values, once with as few as possible, and with different sizes. A rule that reads a
doubtful word then fails one of the fillings or quotes another value, and is not reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from archdsl.document.tree import KeyPath, Tree, tree_of
from archdsl.document.validate import Flaw, judge
from archdsl.plan.expand import expand
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import InvalidSpecError, Rule

DIVISIBLE = 55_440
"""A side of an image that every number up to 12 divides, and most patches."""
ROUNDS = 4
"""Repairs before a document is given up: a node filled in may show the next word that is wrong."""


def certain_rules(tree: Tree, flaws: Sequence[Flaw], doubtful: Iterable[KeyPath]) -> list[Rule]:
    """Rules broken whatever was meant by the words in doubt.

    Args:
        tree: the document.
        flaws: what its schema refuses.
        doubtful: paths of other values in doubt.
    """
    nodes = sorted({_node(path) for path in [*_in_doubt(tree, flaws), *doubtful]}, key=len)
    unknown = [flaw.path for flaw in flaws if flaw.on_key]
    if not all(nodes):
        return []
    filled = _broken(_repaired(tree, unknown, nodes, FILLED, bare=False))
    bare = _broken(_repaired(tree, unknown, nodes, BARE, bare=True))
    return [rule for rule in filled if rule in bare and not _touched(rule.path, nodes)]


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


def _node(path: KeyPath) -> KeyPath:
    """The words that stand or fall together: an exception, a list, a node with its type."""
    if path[:1] == ("layers",):
        return path[:2]
    words: Any = FILLED
    for position, step in enumerate(path):
        typed = isinstance(words, dict) and "type" in words
        if isinstance(step, int) or (typed and (step == "type" or step not in words)):
            return path[:position]
        words = words.get(step) if isinstance(words, dict) else None
    return path


def _touched(path: KeyPath, nodes: list[KeyPath]) -> bool:
    return any(path[: len(node)] == node for node in nodes)


def _broken(spec: ModelSpec | None) -> list[Rule]:
    if spec is None:
        return []
    try:
        expand(spec)
    except InvalidSpecError as error:
        return list(error.rules)
    return []


def _repaired(
    tree: Tree,
    unknown: Sequence[KeyPath],
    nodes: Sequence[KeyPath],
    words: dict[str, Any],
    *,
    bare: bool,
) -> ModelSpec | None:
    document = tree.plain()
    for path in unknown:
        _put(document, path, {})
    for node in nodes:
        _put(document, node, {} if bare else words)
    for _ in range(ROUNDS):
        spec, flaws = judge(tree_of(document, source=""), ModelSpec)
        if spec:
            return spec
        for flaw in flaws:
            _put(document, *((flaw.path, {}) if flaw.on_key else (_node(flaw.path), words)))
    return None


def _put(document: dict[str, Any], path: KeyPath, words: Any) -> None:
    """Take the value at `path` from `words`, or out of the document if they have none."""
    if path[:1] == ("layers",) and len(path) > 1:
        # The numbers of the other exceptions must not change.
        document["layers"][path[1]] = words.get("exception", {"at": [0]})
        return
    here: Any = document
    for step in path[:-1]:
        here = here.get(step) if isinstance(here, dict) else None
        words = words.get(step, {})
    if not isinstance(here, dict) or not path:
        return
    if path[-1] in words:
        here[path[-1]] = words[path[-1]]
    else:
        here.pop(path[-1], None)


def _words(size: int, heads: str, embed: dict[str, Any], prefix: list[str]) -> dict[str, Any]:
    """A value for every word whose presence may keep or break a rule.

    Args:
        size: of the image and of the streams' width.
        heads: the word that says how many heads a block has.
        embed: what starts a stream.
        prefix: the streams' prefix tokens.
    """
    block = {"type": "transformer", heads: 1, "mlp_ratio": 1}
    fusion = {"type": "add_erase", "gate": "per_layer"}
    head = {"type": "linear_attention", "latent_ratio": 1, "num_heads": 1, "fusion": fusion}
    exchange = {"norm": {"placement": "none", "shared": False}, "read": head, "write": head}
    stream = {"embed": embed, "prefix_tokens": prefix, "dim": size, "block": block}
    return {
        "archdsl": 1,
        "name": "x",
        "image": {"size": size},
        "depth": 1024,
        "process": {**stream, "resize": DIVISIBLE},
        "memory": {**stream, "resize": DIVISIBLE},
        "exchange": exchange,
        "exception": {"at": {"every": 1}, "process": {"block": block}, "exchange": exchange},
        "output": {
            "pool": {"process": "cls", "memory": "cls"},
            "norm": {"process": "tokens", "memory": "tokens"},
            "streams": ["process"],
            "combine": "concat",
            "predict": "process",
        },
        "published_layout": True,
    }


FILLED = _words(60, "head_dim", {"type": "patch", "patch_size": 1}, ["cls", "distillation"])
BARE = _words(77, "num_heads", {"type": "copy"}, ["cls"])
