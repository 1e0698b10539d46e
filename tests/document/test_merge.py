"""The one merge rule, on plain data and on trees."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.document.merge import merge, merge_trees, without_nulls
from archdsl.document.text import read_text
from archdsl.document.tree import tree_of

SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["a", "b"])
KEYS = st.sampled_from(["type", "choose", "range", "a", "b", "c"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3)
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


@pytest.mark.parametrize(
    ("base", "patch", "merged"),
    [
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        ({"a": [1, 2, 3]}, {"a": [4]}, {"a": [4]}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": {"type": "x", "b": 1}}, {"a": {"type": "y"}}, {"a": {"type": "y"}}),
        ({"a": {"type": "x", "b": 1}}, {"a": {"type": "x"}}, {"a": {"type": "x", "b": 1}}),
        ({"a": {"type": "x", "b": 1}}, {"a": {"b": 2}}, {"a": {"type": "x", "b": 2}}),
        ({"a": {"b": 1}}, {"a": {"type": "y"}}, {"a": {"b": 1, "type": "y"}}),
        ({"a": {"choose": [1], "as": "d"}}, {"a": {"choose": [2]}},
         {"a": {"choose": [2], "as": "d"}}),
        ({"a": {"choose": {"b": 1}}}, {"a": {"choose": {"c": 2}}},
         {"a": {"choose": {"b": 1, "c": 2}}}),
        ({"a": {"choose": [1]}}, {"a": {"range": [1, 2]}}, {"a": {"range": [1, 2]}}),
        ({"a": {"range": [1, 2], "step": 1}}, {"a": {"same": "d"}}, {"a": {"same": "d"}}),
        ({"a": {"b": 1}}, {"a": {"choose": [2]}}, {"a": {"choose": [2]}}),
        ({"a": {"range": [1, 2]}}, {"a": {"step": 1}}, {"a": {"range": [1, 2], "step": 1}}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({}, {"a": None, "b": {"c": None}}, {"b": {}}),
        ({"a": 1}, {"a": {"b": None, "c": 2}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
        ({"a": [1]}, {"a": [None]}, {"a": [None]}),
    ],
)  # fmt: skip
def test_rule(base: Any, patch: Any, merged: Any) -> None:
    assert merge(base, patch) == merged


@pytest.mark.slow
@settings(max_examples=400)
@given(DOCUMENTS, DOCUMENTS)
def test_trees_merge_like_plain_data(base: dict[str, Any], patch: dict[str, Any]) -> None:
    trees = merge_trees(tree_of(base, source="base"), tree_of(patch, source="patch"))
    assert trees.plain() == merge(base, patch)
    assert list(trees.plain()) == list(merge(base, patch))


@pytest.mark.slow
@settings(max_examples=200)
@given(DOCUMENTS)
def test_merging_leaves_its_inputs_alone(document: dict[str, Any]) -> None:
    before, patch = repr(document), {"a": {"type": "z"}, "b": None, "c": {"a": 1}}
    merge(document, patch)
    assert repr(document) == before
    assert merge(document, {}) == document


@pytest.mark.slow
@settings(max_examples=200)
@given(DOCUMENTS)
def test_a_document_laid_over_nothing_has_no_nulls_to_delete(document: dict[str, Any]) -> None:
    cleaned = without_nulls(tree_of(document, source="x")).plain()
    assert cleaned == merge({}, document)
    assert None not in cleaned.values()


def test_every_value_keeps_the_place_it_came_from() -> None:
    base = read_text("a: {b: 1, c: 2}\nd: [1]\n", source="base.yaml")
    patch = read_text("\na:\n  c: 3\n  e: 4\n", source="patch.yaml")
    merged = merge_trees(base, patch)
    places = {
        path: merged.nearest_origin(path) for path in [("a", "b"), ("a", "c"), ("a", "e"), ("d",)]
    }
    assert {path: (at.source, at.line, at.column) for path, at in places.items()} == {
        ("a", "b"): ("base.yaml", 1, 8),
        ("a", "c"): ("patch.yaml", 3, 6),
        ("a", "e"): ("patch.yaml", 4, 6),
        ("d",): ("base.yaml", 2, 4),
    }


def test_what_deleted_a_value_is_known() -> None:
    base = read_text("a: {b: 1, c: 2}\n", source="base.yaml")
    merged = without_nulls(
        merge_trees(base, read_text("a:\n  b: null\n  d: null\n", source="patch.yaml"))
    )
    assert merged.is_removed(("a", "b"))
    assert not merged.is_removed(("a", "d")), "it was not there"
    at = merged.nearest_origin(("a", "b"))
    assert (at.source, at.line, at.column) == ("patch.yaml", 2, 3)
    again = merge_trees(merged, read_text("a: {b: 3}\n", source="again.yaml"))
    assert not again.is_removed(("a", "b"))
    assert again.nearest_origin(("a", "b")).source == "again.yaml"


def test_a_replaced_node_comes_from_the_patch() -> None:
    base = read_text("a: 1\nb: {type: x}\nc: {d: 1}\n", source="base.yaml")
    patch = read_text("a: {b: 1}\nb: {type: y}\nc: {d: null, e: 1}\n", source="patch.yaml")
    merged = merge_trees(base, patch)
    found = {key: merged.nearest_origin((key,)).source for key in ("a", "b", "c")}
    assert found == {"a": "patch.yaml", "b": "patch.yaml", "c": "base.yaml"}
