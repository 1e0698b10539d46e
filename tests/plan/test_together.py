"""Problems of different kinds come together, and none that another one causes."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from archdsl.document.reader import Draft, read
from archdsl.document.tree import path_text, tree_of
from archdsl.errors import DocumentError
from archdsl.plan.read import check_draft, check_model

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


def test_the_full_document_is_valid() -> None:
    assert problems(FULL) == []


WORDS = list(paths(FULL))
KEYS = [path for path in WORDS if isinstance(path[-1], str)]


@pytest.mark.parametrize("path", [p for p in WORDS if p != ("name",)], ids=path_text)
@pytest.mark.parametrize(
    "nonsense", ["nonsense", -7.5, {"nonsense": 1}], ids=["text", "number", "mapping"]
)
def test_a_word_that_cannot_be_read_is_one_problem(path: Path, nonsense: Any) -> None:
    inside = path_text(path)
    if isinstance(nonsense, dict) and inside in ("image", "process", "memory", "exchange"):
        nonsense = [nonsense]  # as a mapping each lacks several keys
    found = problems(replaced(FULL, path, nonsense))
    assert len(set(found)) == len(found)
    assert found
    around = re.sub(r"(\.type|\[\d\])$", "", inside)
    assert all(each.startswith(around) for each in found)


@pytest.mark.parametrize("path", KEYS, ids=path_text)
def test_a_misspelt_key_is_one_problem(path: Path) -> None:
    found = problems(misspelt(FULL, path))
    if path[-1] == "type":
        assert len(found) == 1
        assert found[0].startswith(path_text(path[:-1]))
    else:
        assert found == [f"{path_text(path)}x"]


@pytest.mark.parametrize("path", KEYS, ids=path_text)
def test_a_key_left_out_is_at_most_one_problem(path: Path) -> None:
    without = copy.deepcopy(FULL)
    here = without
    for step in path[:-1]:
        here = here[step]
    del here[path[-1]]
    required = {"archdsl", "name", "image", "depth", "process", "image.size", "process.embed"}
    required |= {"process.dim", "memory.embed", "memory.block.mlp_ratio"}
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
