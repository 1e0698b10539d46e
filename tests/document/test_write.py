"""What is written reads back as the same data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archdsl.document.text import read_text
from archdsl.document.write import to_yaml

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
@example({"a": "1e-4", "b": "null", "c": "12:30", "d": "no", "e": "007", "f": "1_000", "g": ""})
@example({"1": "2", "null": "~", "true": "True", "<<": "=", "a b": "- c", "#": "a: b"})
@example({"a": 1e-7, "b": 1e22, "c": -0.0, "d": "\u2028", "e": " x ", "f": "line\nbreak\n"})
def test_round_trip(document: dict[str, Any]) -> None:
    assert read_text(to_yaml(document), source="x.yaml").plain() == document


@pytest.mark.parametrize("number", [1e-7, 0.1, 1 / 3, 1e300, 5e-324])
def test_numbers_stay_exact(number: float) -> None:
    assert read_text(to_yaml({"a": number}), source="x.yaml").plain() == {"a": number}


def test_keys_keep_their_order_and_leaves_share_a_line() -> None:
    text = to_yaml({"name": "x", "image": {"size": [8, 16], "channels": 1}, "a": {"b": {"c": 1}}})
    assert text == "name: x\nimage:\n  size: [8, 16]\n  channels: 1\na:\n  b: {c: 1}\n"
