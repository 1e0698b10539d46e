"""What every read-write head says of itself."""

from __future__ import annotations

from typing import ClassVar

from archdsl.spec.base import Node, Weights
from archdsl.spec.fusion import AddFusion, Fusion


class HeadWords(Node):
    """What every head has."""

    type: str
    fusion: Fusion = AddFusion(type="add")
    """How the result joins the querying stream."""
    weights: Weights = "per_layer"
    """Weights of its own in every layer, or one head that all layers use."""

    reads_target: ClassVar[bool] = True
    """Whether the result depends on the target's tokens; if not, only the source is normalised."""
    token_by_token: ClassVar[bool] = False
    """Whether each source token becomes one target token: both streams then have as many."""
    fixes_tokens: ClassVar[bool] = False
    """Whether numbers of tokens are part of the weights."""
    revision: ClassVar[int] = 1
    """Raised when its module computes something else: trainings of before are then not found."""
