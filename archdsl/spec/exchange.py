"""What the two streams do to each other in every layer, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from archdsl.spec.base import Node, Weights
from archdsl.spec.heads import Head

Word = Literal["read", "process", "write", "memory"]
DEFAULT_ORDER: tuple[Word, ...] = ("read", "process", "write", "memory")
Together = Annotated[tuple[Word, ...], Field(strict=False)]


def _kind_of_place(value: Any) -> str:
    return "together" if isinstance(value, list | tuple) else "word"


Place = Annotated[
    Annotated[Word, Tag("word")] | Annotated[Together, Tag("together")],
    Discriminator(_kind_of_place),
]
"""One word, or several that run from the same state."""


class ExchangeNorm(Node):
    """The LayerNorm each exchange word applies to both streams first."""

    placement: Literal["replace", "pre", "none"] = "replace"
    """replace: the normalised value becomes the stream, so residuals start from it (as published).
    pre: only the head sees it, and the stream stays as it was. none: there is no such norm."""
    shared: bool = True
    """One norm for both streams (as published), or one for each."""
    weights: Weights = "per_layer"
    """Norms of its own for every word of every layer, or the same for all of them (LookupViT)."""


class Exchange(Node):
    """Reads and writes between the streams."""

    order: Annotated[tuple[Place, ...], Field(strict=False, min_length=1)] = DEFAULT_ORDER
    """Words of a layer in the order they run, each at most once; a word left out never runs. Words
    in an inner list run from the same state, as [[process, memory], [read, write]] (CrossViT)."""
    norm: ExchangeNorm = ExchangeNorm()
    """The norm before each read and each write."""
    read: Head | None = None
    """process <- fusion(process, head(queries of process, keys and values of memory))."""
    write: Head | None = None
    """memory <- fusion(memory, head(queries of memory, keys and values of process))."""

    def places(self) -> Iterator[tuple[Word, ...]]:
        """The order as groups of words that run from the same state."""
        for place in self.order:
            yield (place,) if isinstance(place, str) else place

    def words(self) -> list[Word]:
        """All words in the order they run."""
        return [word for place in self.places() for word in place]
