"""Gradient checkpointing: what lies inside layers is computed again in the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from archdsl.errors import ArchdslError
from archdsl.nn.network import Network
from archdsl.nn.reversible import is_reversible


class Recomputing:
    """Layers that keep their inputs alone for the backward pass.

    Args:
        model: left as it is until `inside`.
        wanted: else nothing is done.

    Raises:
        ArchdslError: the model has no layers that this could be for.
    """

    def __init__(self, model: nn.Module, wanted: bool) -> None:
        own = model.layers if isinstance(model, Network) else ()
        layers = [each for each in own if not is_reversible(each)] if wanted else []
        self._of_timm: Any = wanted and getattr(model, "set_grad_checkpointing", None)
        if wanted and not layers and not self._of_timm:
            raise ArchdslError(
                "grad_checkpointing has no effect: the network has no layers, or they are run "
                "backwards and keep nothing; leave it out of the recipe"
            )
        # Made once: torch.compile takes others for another network.
        self._forwards = {
            layer: partial(checkpoint, layer.forward, use_reentrant=False) for layer in layers
        }

    @contextmanager
    def inside(self) -> Iterator[None]:
        """While the model is trained."""
        for layer, forward in self._forwards.items():
            layer.forward = forward
        try:
            if self._of_timm:
                self._of_timm(True)
            yield
        finally:
            for layer in self._forwards:
                vars(layer).pop("forward", None)
            if self._of_timm:
                self._of_timm(False)
