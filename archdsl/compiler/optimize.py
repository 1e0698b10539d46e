"""A network rewritten for where it runs, which is used as the plain one is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from archdsl.compiler.passes.folded import FOLDED
from archdsl.compiler.passes.needed import NEEDED
from archdsl.compiler.passes.packed import PACKED, packed_bytes
from archdsl.compiler.passes.rewrite import Pass, Target, first
from archdsl.compiler.passes.source_first import SOURCE_FIRST
from archdsl.errors import ArchdslError

PASSES: Mapping[str, Pass] = {each.name: each for each in (NEEDED, SOURCE_FIRST, FOLDED, PACKED)}
"""In the order they are applied."""


class FrozenNetworkError(ArchdslError, RuntimeError):
    """A network that was rewritten for inference is to be trained."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What a pass has done to a network: a line for each change, none where it found nothing."""

    name: str
    lines: tuple[str, ...]


class Optimized(nn.Module):
    """A drop-in for a network: same images, same answers but for rounding, same state dict.

    What is loaded goes into the plain network, and the rewrites are made again; so they are when
    the network is moved, or its type changes. Of weights that are changed in place in the plain
    network it knows nothing until then.

    Args:
        plain: the network; it keeps its weights, and is not changed.
        target: what it is rewritten for.
        passes: which rewrites, in their order.
    """

    def __init__(
        self, plain: nn.Module, target: Target, passes: Sequence[Pass] = tuple(PASSES.values())
    ) -> None:
        super().__init__()
        self.plain = plain
        self._passes = tuple(each for each in passes if each.trains or not target.training)
        self._target = target
        self.training = plain.training
        self._rewrite()

    @property
    def applied(self) -> tuple[Applied, ...]:
        """What each pass has done."""
        return self._applied

    @property
    def target(self) -> Target:
        """What it is rewritten for."""
        return self._target

    @property
    def rewritten(self) -> nn.Module:
        """What runs. Its weights are those of the plain network where no pass made others."""
        return self._fast[0]

    @property
    def more_bytes(self) -> int:
        """What the rewritten weights take beside those of the plain network."""
        known = {id(each) for each in self.plain.parameters()}
        made = [each for each in self.rewritten.parameters() if id(each) not in known]
        return sum(each.nbytes for each in made) + packed_bytes(self.rewritten)

    @property
    def plan(self) -> Any:
        """The plan of the plain network."""
        return self.plain.plan

    def forward(self, images: Tensor) -> Any:
        """What the plain network answers."""
        return self._fast[0](images)

    def forward_heads(self, images: Tensor) -> Any:
        """The same; where only the predicted answer is asked for, of the classifiers it needs."""
        fast: Any = self._fast[0]
        return fast.forward_heads(images)

    def train(self, mode: bool = True) -> Self:
        """
        Raises:
            FrozenNetworkError: a rewrite that was made is for inference alone.
        """
        frozen = [
            each.name for each in self._applied if each.lines and not PASSES[each.name].trains
        ]
        if mode and frozen:
            raise FrozenNetworkError(
                f"this network was rewritten for inference ({', '.join(frozen)}) and cannot be "
                "trained; train the plain one, which is its attribute `plain`"
            )
        super().train(mode)
        self._fast[0].train(mode)
        return self

    def state_dict(self, *arguments: Any, **words: Any) -> Any:
        """That of the plain network."""
        return self.plain.state_dict(*arguments, **words)

    def load_state_dict(self, *arguments: Any, **words: Any) -> Any:
        """Load into the plain network, and rewrite that anew."""
        found = self.plain.load_state_dict(*arguments, **words)
        self._rewrite()
        return found

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._rewrite()
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Optimized:
        return Optimized(copy.deepcopy(self.plain, memo), self._target, self._passes)

    def _rewrite(self) -> None:
        tensor = next(self.plain.parameters(), torch.empty(0))
        target = replace(self._target, device=tensor.device, dtype=tensor.dtype)
        if tensor.is_meta:  # no variant takes any time there
            target = replace(target, choose=first)
        # A copy whose weights are those of the plain network: what no pass touches costs no memory.
        shared = {id(each): each for each in (*self.plain.parameters(), *self.plain.buffers())}
        fast, applied = copy.deepcopy(self.plain, shared), []
        for each in self._passes:
            rewrite = each.apply(fast, target)
            fast = rewrite.network
            applied.append(Applied(name=each.name, lines=rewrite.explanation))
        # In a tuple, so that torch registers no second set of weights.
        self._fast, self._applied = (fast,), tuple(applied)


def passes_named(names: Sequence[str]) -> list[Pass]:
    """The passes of some names, in the order they are applied.

    Raises:
        ArchdslError: there is none of a name.
    """
    unknown = [name for name in names if name not in PASSES]
    if unknown:
        raise ArchdslError(
            f"no pass is called {', '.join(map(repr, unknown))}; there are {', '.join(PASSES)}"
        )
    return [each for name, each in PASSES.items() if name in names]
