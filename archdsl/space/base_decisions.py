"""Which decisions lead to the base of a space, where some do: what a table may know it by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from archdsl.document.merge import merge
from archdsl.document.tree import KeyPath, Scalar, Tree
from archdsl.plan.read import Checked
from archdsl.space.holes import BASE, Branch, Fixed, Hole, Part, Same
from archdsl.space.space import Space
from archdsl.spec.model import ModelSpec


def base_decisions(space: Space) -> Mapping[str, Scalar]:
    """Hole name to the label that the (first) base has there; empty where a value of the base is
    among no options.

    Raises:
        DocumentError: the base is no model.
    """
    base = space.base_candidate()
    if base is None:
        return {}
    finder = _Finder(base)
    if len(space.bases) > 1:
        finder.params[BASE] = next(iter(space.bases))
    if not finder.keeps(space.overlay, ()):
        return {}
    made = space.walk(finder)
    return made.params if made.is_valid and made.model.plan.arch_id == base.plan.arch_id else {}


class _Finder:
    """Finds the options that change nothing when they are laid over a base, and decides for them.

    Args:
        base: the base.
    """

    def __init__(self, base: Checked) -> None:
        self._spec, self._plain = base.spec, base.tree.plain()
        self._chosen: dict[str, Part] = {}
        self.params: dict[str, Scalar] = {}

    def decide(self, hole: Hole) -> int:
        return hole.labels.index(self.params[hole.name])

    def keeps(self, part: Part, path: KeyPath) -> bool:
        """Whether the base can be had with a part that stands at `path`."""
        if isinstance(part, Fixed):
            return self._is_same(part.tree, path)
        if isinstance(part, Same):
            return self.keeps(self._chosen[part.name], path)
        if isinstance(part, Branch):
            return all(self.keeps(child, (*path, key)) for key, child in part.parts.items())
        for label, option in self._likely_first(part, path):
            if self.keeps(option, path):
                self._chosen[part.name], self.params[part.name] = option, label
                return True
        return False

    def _likely_first(self, hole: Hole, path: KeyPath) -> list[tuple[Scalar, Part]]:
        own: Any = self._plain
        for step in path:
            own = own.get(step) if isinstance(own, Mapping) else None
        options = list(zip(hole.labels, hole.options, strict=True))
        return sorted(options, key=lambda option: option[0] != own)

    def _is_same(self, tree: Tree, path: KeyPath) -> bool:
        laid = tree.plain()
        for step in reversed(path):
            laid = {step: laid}
        try:
            return ModelSpec.model_validate(merge(self._plain, laid)) == self._spec
        except ValidationError:
            return False
