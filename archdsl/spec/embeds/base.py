"""What every embedding says of itself."""

from __future__ import annotations

from typing import ClassVar, Literal

from archdsl.spec.base import Node

Origin = Literal["image", "other", "copy", "nothing"]


class EmbedWords(Node):
    """What every embedding has."""

    type: str
    origin: ClassVar[Origin] = "image"
    """What tokens are made from: the image, the other stream's tokens before their positions are
    added (`other`) or as they are (`copy`), or nothing."""
    revision: ClassVar[int] = 1
    """Raised when its module computes something else: trainings of before are then not found."""
