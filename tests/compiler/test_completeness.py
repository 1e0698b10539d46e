"""A word needs its class in the union, its line in the builder, its module: none is missing."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.compiler import build
from archdsl.spec.base import words
from archdsl.spec.blocks import Block
from archdsl.spec.embeds import Embed
from archdsl.spec.fusion import Fusion
from archdsl.spec.heads import Head

PACKAGE = Path(archdsl.__file__).parent
KINDS = {"embed": Embed, "block": Block, "head": Head, "fusion": Fusion}
MAKERS = {"embed": "EMBEDS", "block": "BLOCKS", "head": "HEADS", "fusion": "FUSIONS"}
SIZES = {"tokens", "target_tokens", "source_tokens", "need_map"}
"""What a cost is told besides the arguments of the module, unless they are among them."""


def missing() -> list[str]:
    """What each word lacks, and where it belongs."""
    found = []
    for kind, union in KINDS.items():
        name = MAKERS[kind]
        makers, known = getattr(build, name), words(union)
        found += [
            f"{kind} {word}: a line in {name} of archdsl/compiler/build.py"
            for word in known.keys() - makers
        ]
        found += [
            f"{kind} {word}: its class in the union of archdsl/spec"
            for word in makers.keys() - known
        ]
    return sorted(found + _files())


def _files() -> list[str]:
    """Heads have a file of their own in both rooms; these may lack one, or a line."""
    rooms = {room: PACKAGE / room / "heads" for room in ("spec", "nn")}
    helpers = {"__init__", "base", "widths"}
    files = {
        room: {p.stem for p in folder.glob("*.py")} - helpers for room, folder in rooms.items()
    }
    known = set(words(Head))
    every = known | files["spec"] | files["nn"]
    return [
        f"head {word}: archdsl/{room}/heads/{word}.py"
        for room in rooms
        for word in every - files[room]
    ] + [
        f"head {word}: its class in the union Head of archdsl/spec/heads/__init__.py"
        for word in every - known
    ]


def test_nothing_is_missing() -> None:
    assert missing() == []


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(build.HEADS, "token_summary")
    monkeypatch.setitem(build.FUSIONS, "gate", build.FUSIONS["add"])
    assert missing() == [
        "fusion gate: its class in the union of archdsl/spec",
        "head token_summary: a line in HEADS of archdsl/compiler/build.py",
    ]


def keywords(function: Any) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}


@pytest.mark.parametrize(
    ("kind", "word"), [(kind, word) for kind, union in KINDS.items() for word in words(union)]
)
def test_a_word_costs_what_its_module_is_made_with(kind: str, word: str) -> None:
    maker = getattr(build, MAKERS[kind])[word]
    costs = keywords(words(KINDS[kind])[word].cost)
    assert keywords(maker) - SIZES == costs - SIZES
