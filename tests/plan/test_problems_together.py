"""Problems of different kinds come together, and none that another one causes."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from archdsl.document.reader import Draft, read
from archdsl.document.tree import path_text, tree_of
from archdsl.errors import DocumentError
from archdsl.plan.read import check_draft, check_model
from archdsl.spec.base import Node
from archdsl.spec.model import ModelSpec

Path = tuple[Any, ...]

READ = {
    "type": "linear_attention",
    "latent_ratio": 0.5,
    "num_heads": 2,
    "fusion": {"type": "add_erase", "gate": "shared"},
}
WRITE = {"type": "latent_attention", "latent_ratio": 0.5, "num_heads": 2, "fusion": "erase"}
FULL: dict[str, Any] = {
    "archdsl": 1,
    "kind": "model",
    "name": "x",
    "image": {"size": [24, 32], "channels": 3},
    "depth": 3,
    "process": {
        "embed": {"type": "patch", "patch_size": [8, 8]},
        "prefix_tokens": ["cls"],
        "dim": 24,
        "block": {"type": "transformer", "head_dim": 12, "mlp_ratio": 2},
        "blocks": 2,
    },
    "memory": {
        "embed": {"type": "patch", "patch_size": 4},
        "prefix_tokens": ["cls"],
        "dim": 32,
        "block": {"type": "mlp", "mlp_ratio": 0.5},
        "blocks": 2,
    },
    "exchange": {
        "order": ["write", "read", "process", "memory"],
        "norm": {"placement": "pre", "shared": False},
        "read": READ,
        "write": WRITE,
    },
    "layers": [
        {"at": [0], "exchange": {"write": None}},
        {"at": {"last": 2}, "process": {"block": {"head_dim": 6}, "blocks": 1}},
        {"at": {"first": 1}, "exchange": {"read": {"type": "cross_attention", "num_heads": 3}}},
        {"at": [-1], "memory": {"block": None, "blocks": 1},
         "exchange": {"read": {"num_heads": 4}}},
    ],
    "output": {
        "task": "classify",
        "num_classes": 10,
        "pool": "cls",
        "norm": {"process": "both", "memory": "tokens"},
        "streams": ["process", "memory"],
        "predict": "mean",
    },
    "published_layout": True,
}  # fmt: skip

_CROSSING = {
    "type": "cross_attention",
    "fusion": "erase",
    "weights": "shared",
    "num_heads": 3,
    "queries": "cls",
    "keys": "patches",
    "with_query": True,
    "width": "source",
    "out_proj": False,
}
CROSSING: dict[str, Any] = {
    "archdsl": 1,
    "name": "x",
    "image": {"size": 48},
    "depth": 2,
    "process": {
        "embed": {"type": "conv_stem", "strides": [4, 2], "kernels": [7, 2]},
        "resize": 32,
        "prefix_tokens": ["cls", "distillation"],
        "dim": 24,
        "block": {"type": "transformer", "weights": "shared", "num_heads": 3, "layer_scale": 0.1},
    },
    "memory": {
        "embed": {"type": "patch", "patch_size": [6, 12]},
        "prefix_tokens": ["cls"],
        "dim": 36,
        "block": {"type": "mlp", "weights": "shared", "mlp_ratio": 1, "norm": False},
    },
    "exchange": {
        "order": [["process", "memory"], ["read", "write"]],
        "norm": {"placement": "pre", "shared": False, "weights": "shared"},
        "read": {**_CROSSING, "norms": ["q"]},
        "write": {**_CROSSING, "norms": ["v"]},
    },
    "layers": [{"at": {"every": 2}, "exchange": {"norm": {"weights": "per_layer"}}}],
    "output": {
        "num_classes": 10,
        "pool": {"process": "cls", "memory": "mean"},
        "norm": {"process": "tokens"},
        "predict": "distillation",
    },
}
TIED: dict[str, Any] = {
    "archdsl": 1,
    "name": "x",
    "image": {"size": 32},
    "depth": 2,
    "process": {
        "embed": {"type": "downsample", "grid": [3, 2], "method": "bilinear"},
        "dim": 24,
        "block": {"type": "transformer", "head_dim": 12},
    },
    "memory": {
        "embed": {"type": "patch", "patch_size": 8},
        "prefix_tokens": ["cls"],
        "block": {"type": "mlp", "mlp_ratio": 0.5, "norm": False, "weights": "shared"},
    },
    "exchange": {
        "order": ["read", ["process", "memory"], "write"],
        "norm": {"placement": "pre", "shared": False, "weights": "shared"},
        "read": {
            "type": "cross_attention",
            "head_dim": 8,
            "norms": ["q", "k"],
            "out_proj": False,
            "weights": "shared",
        },
        "write": {
            "type": "tied_attention",
            "renormalise": True,
            "values": "tied",
            "norm": True,
            "out_proj": True,
            "weights": "shared",
            "fusion": "add",
        },
    },
    "layers": [{"at": [-1], "exchange": {"write": None}}],
    "output": {"pool": {"memory": "cls"}, "norm": {"memory": "pooled"}, "predict": "mean"},
}
REVERSED: dict[str, Any] = {
    "archdsl": 1,
    "name": "x",
    "image": {"size": 32},
    "depth": 2,
    "process": {"embed": {"type": "copy"}, "dim": 24},
    "memory": {"embed": {"type": "patch", "patch_size": 8}, "prefix_tokens": ["cls"], "dim": 24},
    "exchange": {
        "norm": {"placement": "pre"},
        "read": {"type": "self_attention", "head_dim": 12, "fusion": "add"},
        "write": {"type": "mlp", "mlp_ratio": 2},
    },
    "output": {"num_classes": 3, "streams": ["process", "memory"], "combine": "concat",
               "pool": "cls", "predict": "concat"},
}  # fmt: skip
LEARNED: dict[str, Any] = {
    "archdsl": 1,
    "name": "x",
    "image": {"size": 32},
    "depth": 2,
    "process": {
        "embed": {"type": "learned", "num_tokens": 5},
        "dim": 24,
        "block": {"type": "transformer", "head_dim": 12},
    },
    "memory": {"embed": {"type": "patch", "patch_size": 8}},
    "exchange": {
        "norm": {"placement": "none"},
        "read": {
            "type": "linear_attention",
            "latent_ratio": 0.5,
            "head_dim": 6,
            "normalise": False,
            "out_proj": "used",
            "weights": "shared",
        },
    },
}
DOCUMENTS = {
    "full": FULL, "crossing": CROSSING, "tied": TIED, "reversed": REVERSED, "learned": LEARNED,
}  # fmt: skip


def problems(document: dict[str, Any]) -> list[str]:
    """Dotted paths of what is refused."""
    try:
        check_model(tree_of(document, source="x"))
    except DocumentError as error:
        return [each.path for each in error.problems]
    return []


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a document."""
    if isinstance(value, dict | list):
        for step in value if isinstance(value, dict) else range(len(value)):
            yield (*path, step)
            yield from paths(value[step], (*path, step))


def replaced(document: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    here = changed
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return changed


def misspelt(document: dict[str, Any], path: Path) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    here = changed
    for step in path[:-1]:
        here = here[step]
    here[f"{path[-1]}x"] = here.pop(path[-1])
    return changed


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_full_documents_are_valid(name: str) -> None:
    assert problems(DOCUMENTS[name]) == []


def test_the_full_documents_have_every_word() -> None:
    written = {path[-1] for document in DOCUMENTS.values() for path in paths(document)}
    assert set(all_words(ModelSpec)) - written == set()


def all_words(node: Any) -> Iterator[str]:
    """Every key that a model document may have."""
    if isinstance(node, type) and issubclass(node, Node):
        for key, field in node.model_fields.items():
            yield key
            yield from all_words(field.annotation)
    for part in get_args(node):
        yield from all_words(part)


WORDS = [(name, path) for name, document in DOCUMENTS.items() for path in paths(document)]
KEYS = [(name, path) for name, path in WORDS if isinstance(path[-1], str)]


def identify(each: Any) -> str:
    return each if isinstance(each, str) else path_text(each)


with_words = pytest.mark.parametrize(
    ("name", "path"), [word for word in WORDS if word[1] != ("name",)], ids=identify
)
with_keys = pytest.mark.parametrize(("name", "path"), KEYS, ids=identify)


@with_words
@pytest.mark.parametrize(
    "nonsense", ["nonsense", -7.5, {"nonsense": 1}], ids=["text", "number", "mapping"]
)
def test_a_word_that_cannot_be_read_is_one_problem(name: str, path: Path, nonsense: Any) -> None:
    inside = path_text(path)
    if isinstance(nonsense, dict) and inside in ("image", "process", "memory", "exchange"):
        nonsense = [nonsense]  # as a mapping each lacks several keys
    found = problems(replaced(DOCUMENTS[name], path, nonsense))
    assert len(set(found)) == len(found)
    assert found
    around = re.sub(r"(\.type|\[\d\])$", "", inside)
    assert all(each.startswith(around) for each in found)


@with_keys
def test_a_misspelt_key_is_one_problem(name: str, path: Path) -> None:
    found = problems(misspelt(DOCUMENTS[name], path))
    if path[-1] == "type":
        assert len(found) == 1
        assert found[0].startswith(path_text(path[:-1]))
    else:
        assert found == [f"{path_text(path)}x"]


@with_keys
def test_a_key_left_out_is_at_most_one_problem(name: str, path: Path) -> None:
    without = copy.deepcopy(DOCUMENTS[name])
    here = without
    for step in path[:-1]:
        here = here[step]
    del here[path[-1]]
    required = {"archdsl", "name", "image", "depth", "process", "image.size", "process.embed"}
    required |= {"process.dim", "memory.embed", "memory.block.mlp_ratio"}
    required |= {"process.embed.strides", "process.embed.grid", "process.embed.num_tokens"}
    required |= {"exchange.write.mlp_ratio"} if name == "reversed" else set()
    found = problems(without)
    # An exception without a type is about the type that is there.
    if path_text(path) in required or (path[-1] == "type" and path[0] != "layers"):
        assert len(found) == 1


# Rules that are broken by one change of the full document: what is changed, what is refused.
RULES: list[tuple[Path, Any, str]] = [
    (("process", "embed", "patch_size"), 7, "process.embed.patch_size"),
    (("memory", "embed", "patch_size"), 5, "memory.embed.patch_size"),
    (("process", "block", "head_dim"), 5, "process.block.head_dim"),
    (("process", "block", "num_heads"), 2, "process.block"),
    (("memory", "block", "mlp_ratio"), 0.001, "memory.block.mlp_ratio"),
    (("exchange", "read", "latent_ratio"), 0.3, "exchange.read.latent_ratio"),
    (("exchange", "write", "num_heads"), 5, "exchange.write.num_heads"),
    (("exchange", "norm", "shared"), True, "exchange.norm.shared"),
    (("layers", 0, "at"), [3], "layers[0].at[0]"),
    (("layers", 1, "process", "block", "head_dim"), 5, "layers[1].process.block.head_dim"),
    (("layers", 2, "exchange", "read", "num_heads"), 5, "layers[2].exchange.read.num_heads"),
    (("output", "streams"), ["process"], "output"),
]

# Words that cannot be read: what is changed, what is refused.
NONSENSE: list[tuple[Path, Any]] = [
    (("name",), 1),
    (("image", "size"), "big"),
    (("depth",), "deep"),
    (("process", "dim"), "on"),
    (("process", "embed"), "patches"),
    (("process", "block"), {"type": "transfomer"}),
    (("process", "block", "mlp_ratio"), "x"),
    (("memory",), "much"),
    (("memory", "dim"), 768.5),
    (("exchange", "order"), ["read", "wirte"]),
    (("exchange", "norm"), "shared"),
    (("exchange", "read"), {"type": "linear_atention"}),
    (("exchange", "write", "num_heads"), 2.5),
    (("exchange", "write", "fusion"), "add_eras"),
    (("exchange", "read", "fusion", "gate"), "mine"),
    (("exchange", "read", "fusion"), {"type": "erase", "gate": "shared"}),
    (("layers", 3), {"at": "last", "exchange": {"read": None}}),
    (("layers", 1, "proces"), {"blocks": 3}),
    (("output", "streams"), ["memry"]),
    (("output", "num_classes"), "ten"),
    (("zzz",), 3),
]


@pytest.mark.parametrize(("path", "value", "refused"), RULES)
def test_one_broken_rule(path: Path, value: Any, refused: str) -> None:
    found = problems(replaced(FULL, path, value))
    assert found
    assert all(each.startswith(refused) for each in found)


@pytest.mark.parametrize(
    ("rule", "nonsense"),
    list(itertools.product(RULES, NONSENSE)),
    ids=lambda case: path_text(case[0]),
)
def test_broken_rules_beside_unreadable_words(
    rule: tuple[Path, Any, str], nonsense: tuple[Path, Any]
) -> None:
    by_rule = set(problems(replaced(FULL, *rule[:2])))
    by_nonsense = set(problems(replaced(FULL, *nonsense)))
    first, second = sorted([rule[:2], nonsense], key=lambda change: len(change[0]), reverse=True)
    if second[0] == first[0][: len(second[0])]:
        return  # the one change is inside the other
    found = set(problems(replaced(replaced(FULL, *first), *second)))
    assert by_nonsense <= found <= by_nonsense | by_rule
    # A rule about words of another part of the document is always judged.
    if rule[0][0] in ("process", "memory") and nonsense[0][0] in ("output", "name", "zzz"):
        assert found == by_nonsense | by_rule


def test_an_unreadable_width_does_not_hide_a_patch_that_does_not_fit() -> None:
    document = replaced(FULL, ("process", "dim"), "on")
    document = replaced(document, ("process", "embed", "patch_size"), 7)
    document = replaced(document, ("output", "predict"), "nobody")
    assert problems(document) == ["process.dim", "output.predict", "process.embed.patch_size"]


def test_problems_of_the_text_come_with_those_of_the_words() -> None:
    text = (
        "archdsl: 1\nname: x\nimage: {size: 32}\ndepth: 2\n2: 3\ndepth: 99\nproces:\n"
        "  embed: {type: patch, patch_size: 7}\n  dim: 1e999\n"
    )
    with pytest.raises(DocumentError) as caught:
        check_draft(read(text, source="x"))
    found = [(each.place, each.path) for each in caught.value.problems]
    assert found == [("5:1", "2"), ("6:1", "depth"), ("9:8", "proces.dim"), ("7:1", "proces")]


def test_a_repeated_key_leaves_its_word_in_doubt() -> None:
    document = replaced(FULL, ("process", "block", "head_dim"), 7)
    draft = Draft(tree=tree_of(document, source="x"), doubtful=(("process", "dim"),))
    doubtful = Draft(tree=draft.tree, doubtful=draft.doubtful, problems=problem_of_text())
    with pytest.raises(DocumentError) as caught:
        check_draft(doubtful)
    assert [each.path for each in caught.value.problems] == ["a"]


def problem_of_text() -> Any:
    with pytest.raises(DocumentError) as caught:
        read("{a: 1, a: 2}", source="x").whole()
    return caught.value.problems


def test_mistakes_of_a_text_hide_none_of_its_words() -> None:
    """A line that YAML cannot place, a space that is missing, and rules over several words."""
    text = (
        "archdsl: 1\nname: x\nimage: {size: 32}\ndepth:4\n"
        "process:\n  embed: {type: patch, patch_size:5}\n   dim: 48\n"
        "  block: {type: transformer, num_heads: 5}\n"
        "layers:\n  - {at: [7], process: {blocks: 2}}\n"
    )
    with pytest.raises(DocumentError) as caught:
        check_draft(read(text, source=""))
    found = sorted((each.line, each.column) for each in caught.value.problems)
    assert found == [(4, 1), (6, 24), (6, 35), (7, 4), (8, 41), (10, 11)]


@pytest.mark.parametrize(
    ("lines", "line", "owner", "how"),
    [
        (["memory:", "embed: {type: patch, patch_size: 8}"], 6, "'memory' in line 5", "further"),
        (
            ["  prefix_tokens: [cls]", "  output: {}"],
            6,
            "the document itself",
            "less",
        ),
        (["  block:", "  type: mlp", "  head_dim: 8"], 6, "'block' in line 5", "further"),
        (["  dim: 8", "  memory:"], 6, "the document itself", "less"),
    ],
)
def test_a_word_that_belongs_elsewhere_says_where(
    lines: list[str], line: int, owner: str, how: str
) -> None:
    head = ["archdsl: 1", "image: {size: 32}", "depth: 4", "process:"]
    with pytest.raises(DocumentError) as caught:
        check_draft(read("\n".join([*head, *lines]), source=""))
    said = f"unknown key; it is a word of {owner}: write it there, indented {how}"
    assert (line, said) in [(each.line, each.message) for each in caught.value.problems]


def test_a_text_in_place_of_a_mapping_may_lack_a_space() -> None:
    text = "archdsl: 1\nimage:\n  size:32\ndepth: 4\nprocess:\n  block:\n    type:mlp\n"
    with pytest.raises(DocumentError) as caught:
        check_draft(read(text, source=""))
    found = {each.path: each.message for each in caught.value.problems}
    hint = "a space is missing after the colon: write"
    assert found["image"] == f"'size:32' is not a mapping; {hint} 'size: 32'"
    assert found["process.block"] == f"'type:mlp' is not a mapping; {hint} 'type: mlp'"
