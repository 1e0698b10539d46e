"""What names architectures, studies, measurements and trainings: digests of plain data.

A digest that is stored must never change for the same thing. So one rule holds wherever words are
added to what is digested: a word younger than what is stored is left out at its default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """The one text of a JSON value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """16 hexadecimal digits (64 bits) of the SHA-256 of a JSON value's canonical text."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def differences(
    first: object, second: object, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    """The keys that lead to each difference of two JSON values, and what stands there in each.

    Mappings are compared key by key; one that is missing counts as None.

    Args:
        first: a value; its keys come first.
        second: the other value.
        path: the keys that led to them.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in dict.fromkeys([*first, *second]):
            yield from differences(first.get(key), second.get(key), (*path, str(key)))
    elif first != second:
        yield path, first, second


def left_out(record: object, younger: Mapping[str, object]) -> frozenset[str]:
    """Words of a record that its identity leaves out, so that it stays what it was before them.

    Args:
        record: has each word as an attribute.
        younger: words that are younger than what is stored, with their defaults.
    """
    return frozenset(name for name, value in younger.items() if getattr(record, name) == value)
