"""What distinguishes one model document from another, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.spec.model import ModelSpec

_IGNORED = {"archdsl", "kind", "name", "published_layout"}


def difference(base: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """`depth 4 → 3, process.dim 64 → 48`; empty for equal architectures."""
    before, after = dict(_words(_whole(base), "")), dict(_words(_whole(other), ""))
    parts = []
    for path in dict.fromkeys([*before, *after]):
        if before.get(path) == after.get(path):
            continue
        if path not in before:
            parts.append(f"{path} {after[path]}")
        elif path not in after:
            parts.append(f"no {path}")
        else:
            parts.append(f"{path} {before[path]} → {after[path]}")
    return ", ".join(parts)


def _whole(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every default written out."""
    whole: dict[str, Any] = ModelSpec.model_validate(document).model_dump(
        mode="json", exclude_none=True
    )
    return whole


def _words(document: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(document, Mapping):
        return [(path, document)]
    words = []
    for key, value in document.items():
        if path or key not in _IGNORED:
            words += _words(value, f"{path}.{key}" if path else str(key))
    return words
