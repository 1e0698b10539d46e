"""A model document: the root of the vocabulary."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archdsl.spec.base import Node
from archdsl.spec.exchange import Exchange
from archdsl.spec.layers import LayerException
from archdsl.spec.output import Output
from archdsl.spec.streams import MemoryStream, ProcessStream
from archdsl.spec.values import Name, Pair


class Image(Node):
    """The images the network takes."""

    size: Pair
    """Side in pixels, or [height, width]."""
    channels: Annotated[int, Field(ge=1, le=1024)] = 3
    """Colour channels; 1 for grey images."""


class ModelSpec(Node):
    """A vision architecture. Without `memory` and `exchange` it is a plain ViT."""

    archdsl: Literal[1]
    """Version of the language."""
    kind: Literal["model"] = "model"
    name: Name
    """Free text; two documents that differ only in it describe one architecture."""
    image: Image
    depth: Annotated[int, Field(ge=1, le=1024)]
    """Number of layers."""
    process: ProcessStream
    memory: MemoryStream | None = None
    exchange: Exchange | None = None
    layers: Annotated[tuple[LayerException, ...], Field(strict=False)] = ()
    """Exceptions, in order; later ones win."""
    output: Output = Output()
    published_layout: bool = False
    """Also allocate the tensors that published ViTTM checkpoints hold and never use. Changes
    `params_allocated` and the state dict, never what is computed."""

    revision: ClassVar[int] = 1
    """As that of a word, for what has no word of its own: streams, norms, exchanges, classifiers.
    """

    def document(self) -> dict[str, Any]:
        """The normalised document: plain data, only what differs from the defaults."""
        fields: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return {"archdsl": self.archdsl, **fields}
