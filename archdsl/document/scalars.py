"""What a plain YAML scalar means here: fewer surprises than YAML 1.1.

`1e-4` is a number; `on`, `no` and `12:30` stay the text that was written; `0x10` and `1_000`
are text too, so that a schema refuses them instead of guessing.
"""

from __future__ import annotations

import re

from archdsl.document.tree import Scalar

LONGEST_NUMBER = 40
"""Digits; a longer number is refused rather than computed with."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar.

    Raises:
        ValueError: a number longer than `LONGEST_NUMBER` digits, or beyond the floats.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if not _FLOAT.fullmatch(text):
        return text
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} characters is longer than any word needs")
    if _INTEGER.fullmatch(text):
        return int(text)
    if text.lstrip("+-").isdigit():
        return text  # 007: YAML 1.1 reads such numbers as octal, a person does not
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is beyond the largest number there is; in quotes it is text")
    return number
