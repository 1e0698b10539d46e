"""A model document's exceptions applied: the words of every single layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from archdsl.document.merge import merge
from archdsl.document.tree import KeyPath, Tree, tree_of
from archdsl.document.validate import found_in, unknown_nulls
from archdsl.spec.layers import LayerException, LayerSpec, Selection
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import Rules


@dataclass(frozen=True, kw_only=True)
class LayerWords:
    """The words of one layer.

    Args:
        spec: the words; None where exceptions leave something that is no layer.
        patches: the exceptions laid over it, by their number, in order.
    """

    spec: LayerSpec | None
    patches: dict[int, Tree]

    def changes(self, path: KeyPath) -> bool:
        """Whether an exception says all of what stands at `path`."""
        found = [patch.at(path) for patch in self.patches.values()]
        return any(tree and not isinstance(tree.value, Mapping) for tree in found)

    def blamed(self, path: KeyPath) -> KeyPath:
        """Where the document says what the layer has at `path`: in the last exception that speaks
        of the place or else of what is around it."""
        for length in range(len(path), 0, -1):
            for number in reversed(self.patches):
                if self.patches[number].at(path[:length]):
                    return ("layers", number, *path)
        return path


def base_layer(spec: ModelSpec) -> LayerWords:
    """The words of a layer without exceptions."""
    return LayerWords(spec=LayerSpec.model_validate(_base(spec)), patches={})


def layer_words(spec: ModelSpec, rules: Rules) -> list[LayerWords]:
    """The words of each layer; layers with the same exceptions share one object."""
    selected = [
        _selected(exception, spec.depth, rules.at("layers", number))
        for number, exception in enumerate(spec.layers)
    ]
    of_layer: list[list[int]] = [[] for _ in range(spec.depth)]
    for number, chosen in enumerate(selected):
        for layer in chosen:
            of_layer[layer].append(number)
    base = _base(spec)
    made: dict[tuple[int, ...], LayerWords] = {}
    layers = []
    for applied in map(tuple, of_layer):
        if applied not in made:
            patches = {n: spec.layers[n].patch() for n in applied}
            made[applied] = _merged(base, patches, rules)
        layers.append(made[applied])
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
    if not exception.patch():
        rules.refuse("changes nothing; write process, memory or exchange")
    for flaw in unknown_nulls(tree_of(exception.patch(), source=""), LayerSpec):
        rules.refuse(flaw.message, *flaw.path, on_key=True)
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


def _merged(base: dict[str, Any], patches: dict[int, Any], rules: Rules) -> LayerWords:
    words = base
    for patch in patches.values():
        words = merge(words, patch)
    trees = {number: tree_of(patch, source="") for number, patch in patches.items()}
    try:
        return LayerWords(spec=LayerSpec.model_validate(words), patches=trees)
    except ValidationError as error:
        layer = LayerWords(spec=None, patches=trees)
        for flaw in found_in(tree_of(words, source=""), LayerSpec, error):
            rules.refuse(flaw.message, *layer.blamed(flaw.path), on_key=flaw.on_key)
        return layer
