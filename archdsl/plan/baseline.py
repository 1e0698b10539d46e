"""A model of timm's where ours have a document and a plan: something to hold a search against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from archdsl.identity import digest

TIMM = "timm:"
"""Before the name of one of timm's models: `timm:vit_base_patch16_224`."""


class TimmName(NamedTuple):
    """A model of timm's that is to be made for the images and classes of some data."""

    model: str
    size: tuple[int, int] | None = None
    """(height, width) that pictures are brought to; what timm says of it unless given."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A model of timm's, made for images and classes; stands where a document and its plan do.

    Args:
        model: its name there, without the tag of published weights.
        image: (channels, height, width).
        num_classes: how many.
        init: file of the weights that its trainings begin with, of a study's; empty where that is
            not said of it.
        begun_with: names these weights, and how they are made to fit.
    """

    model: str
    image: tuple[int, int, int]
    num_classes: int
    init: str = ""
    begun_with: str = ""

    @property
    def name(self) -> str:
        """For people."""
        return f"{TIMM}{self.model}" + (f" from {Path(self.init).name}" if self.init else "")

    @property
    def arch_id(self) -> str:
        """Its identity among architectures; begun with other weights it is another in a study."""
        return digest({word: each for word, each in self.document().items() if word != "init"})

    def document(self) -> dict[str, Any]:
        """As plain data, which no model document looks like."""
        document = {"timm": self.model, "image": list(self.image), "num_classes": self.num_classes}
        begun = {"init": self.init, "begun_with": self.begun_with}
        return {**document, **(begun if self.init else {})}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self | None:
        """What `document` wrote; None of a model document."""
        if "timm" not in document:
            return None
        channels, height, width = document["image"]
        return cls(
            model=document["timm"],
            image=(channels, height, width),
            num_classes=document["num_classes"],
            init=document.get("init", ""),
            begun_with=document.get("begun_with", ""),
        )
