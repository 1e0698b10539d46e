"""A model document's exceptions applied: the words of every single layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from archdsl.document.merge import merge
from archdsl.document.tree import tree_of
from archdsl.document.validate import found_in
from archdsl.spec.layers import LayerException, LayerSpec, Selection
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import Rules


def layer_specs(spec: ModelSpec, rules: Rules) -> list[LayerSpec | None]:
    """The words of each layer; None where exceptions leave something that is no layer."""
    base = _base(spec)
    selected = [
        _selected(exception, spec.depth, rules.at("layers", number))
        for number, exception in enumerate(spec.layers)
    ]
    cache: dict[tuple[int, ...], LayerSpec | None] = {}
    layers = []
    for layer in range(spec.depth):
        applied = tuple(n for n, chosen in enumerate(selected) if layer in chosen)
        if applied not in cache:
            cache[applied] = _merged(base, spec.layers, applied, rules)
        layers.append(cache[applied])
    return layers


def _base(spec: ModelSpec) -> dict[str, Any]:
    words: dict[str, Any] = {
        "process": spec.process.model_dump(include={"block", "blocks"}, exclude_none=True)
    }
    if spec.memory:
        words["memory"] = spec.memory.model_dump(include={"block", "blocks"}, exclude_none=True)
    if spec.exchange:
        words["exchange"] = spec.exchange.model_dump(exclude_none=True)
    return words


def _selected(exception: LayerException, depth: int, rules: Rules) -> set[int]:
    at = exception.at
    if isinstance(at, Selection):
        words = at.model_dump(exclude_none=True)
        if len(words) != 1:
            rules.refuse("give exactly one of first, last, every", "at")
            return set()
        [(word, count)] = words.items()
        if count > depth:
            rules.refuse(f"{count} is more than the model's {depth} layers", "at", word)
            return set()
        if word == "every":
            return set(range(count - 1, depth, count))
        return set(range(count)) if word == "first" else set(range(depth - count, depth))
    for position, index in enumerate(at):
        if not -depth <= index < depth:
            message = (
                f"there is no layer {index}; a model of {depth} layers has -{depth} to {depth - 1}"
            )
            rules.refuse(message, "at", position)
    return {index % depth for index in at if -depth <= index < depth}


def _merged(
    base: dict[str, Any],
    exceptions: Sequence[LayerException],
    applied: tuple[int, ...],
    rules: Rules,
) -> LayerSpec | None:
    words = base
    for number in applied:
        words = merge(words, exceptions[number].patch())
    try:
        return LayerSpec.model_validate(words)
    except ValidationError as error:
        patches = {number: tree_of(exceptions[number].patch(), source="") for number in applied}
        for path, message, _ in found_in(tree_of(words, source=""), LayerSpec, error):
            # Blame the last exception that speaks of the place; the base alone is valid.
            number = next(
                (n for n in reversed(applied) if patches[n].at(path) or patches[n].at(path[:-1])),
                applied[-1],
            )
            rules.refuse(message, "layers", number, *path)
        return None
