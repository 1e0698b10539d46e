"""What distinguishes one model document from another, in a line."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from archdsl.document.tree import Scalar
from archdsl.spec.model import ModelSpec

_IGNORED = {"archdsl", "kind", "name", "published_layout"}


def difference(base: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """`depth 4 → 3, process.dim 64 → 48`; empty for equal architectures.

    Of a node that only one of them has, or that is of another type in each, words at their defaults
    are left out.
    """
    return Differences(base).to(other)


def format_option(label: Scalar) -> str:
    """An option of a hole as documents say it, by its label: of a mapping, which goes by Python's
    text of it, `type mlp, mlp_ratio 0.5`."""
    if isinstance(label, str) and label.startswith("{"):
        with suppress(ValueError, SyntaxError):
            if isinstance(mapping := literal_eval(label), Mapping):
                return ", ".join(f"{path} {_text(value)}" for path, value in _words(mapping, ""))
    return _text(label)


class Differences:
    """What distinguishes documents from one and the same base.

    Args:
        base: a model document.
    """

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._base = _Words(base)

    def to(self, other: Mapping[str, Any]) -> str:
        """See `difference`."""
        return _format(self._base, _Words(other))


def _format(before: _Words, after: _Words) -> str:
    parts = []
    for path in dict.fromkeys([*before.every, *after.every]):
        if before.every.get(path) == after.every.get(path):
            continue
        if path not in before.every:
            if path in after.written:
                parts.append(f"{path} {after.text(path)}")
        elif path not in after.every:
            if path in before.written:
                parts.append(f"no {path}")
        elif _is_told(path, before, after):
            parts.append(f"{path} {before.text(path)} → {after.text(path)}")
    return ", ".join(parts)


def _is_told(path: str, before: _Words, after: _Words) -> bool:
    """Whether a word that both have with another value was chosen, and did not come with a type."""
    node = path.rpartition(".")[0]
    same = before.every.get(f"{node}.type") == after.every.get(f"{node}.type")
    return same or path in before.written or path in after.written


class _Words:
    """The words of a document by their paths: all of them, and those that are no defaults."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        model = ModelSpec.model_validate(document)
        self.every = dict(_words(model.model_dump(mode="json", exclude_none=True), ""))
        self.written = dict(_words(model.model_dump(mode="json", exclude_defaults=True), ""))

    def text(self, path: str) -> str:
        """The word as a document says it: `true`, not `True`."""
        return _text(self.written.get(path, self.every[path]))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _words(document: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(document, Mapping):
        return [(path, document)]
    words = []
    for key, value in document.items():
        if path or key not in _IGNORED:
            words += _words(value, f"{path}.{key}" if path else str(key))
    return words
