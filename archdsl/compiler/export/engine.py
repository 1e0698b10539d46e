"""A network in an engine that is not torch's modules: called and timed as a module is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from torch import Tensor, nn


class Engine(nn.Module):
    """Calls what was loaded; has no weights of its own, and its copies are itself.

    Args:
        call: images (batch, channels, height, width) -> logits (batch, num_classes), on the CPU.
    """

    def __init__(self, call: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._call = (call,)  # in a tuple: an engine that is a module is none of its parts

    def forward(self, images: Tensor) -> Tensor:
        """images: (batch, channels, height, width) -> logits: (batch, num_classes)."""
        return self._call[0](images)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
