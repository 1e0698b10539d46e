"""From images to the first tokens of all streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class StreamEmbed(nn.Module):
    """Tokens behind learned prefix tokens, all with a learned position table.

    Args:
        embed: makes the tokens.
        tokens: number of tokens, prefix tokens included.
        dim: width.
        prefix_tokens: names of learned tokens (`cls`, `distillation`), in order.
        origin: what `embed` sees: `image`, `nothing` (only how many images there are), `other` (the
            other stream's tokens without positions and prefix tokens) or `copy` (all of them).
        positions: whether there is a position table.
        resize: (height, width) the image is resized to first, if any.
    """

    def __init__(
        self,
        *,
        embed: nn.Module,
        tokens: int,
        dim: int,
        prefix_tokens: Sequence[str] = (),
        origin: str = "image",
        positions: bool = True,
        resize: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.embed, self.origin, self.resize = embed, origin, resize
        count = len(prefix_tokens)
        self.prefix = nn.Parameter(torch.empty(1, count, dim)) if count else None
        self.position = nn.Parameter(torch.empty(1, tokens, dim)) if positions else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw positions and prefix tokens anew, as timm's ViT does."""
        if self.position is not None:
            nn.init.trunc_normal_(self.position, std=0.02)
        if self.prefix is not None:
            nn.init.normal_(self.prefix, std=1e-6)

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """What `origin` says -> tokens alone: (batch, rows * columns, dim), and all of the
        stream's: (batch, tokens, dim), with prefix tokens and positions."""
        if self.resize and self.origin == "image":
            source = functional.interpolate(
                source, self.resize, mode="bicubic", align_corners=False
            )
        patches: Tensor = self.embed(source)
        tokens = patches
        if self.prefix is not None:
            tokens = torch.cat([self.prefix.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        return patches, tokens if self.position is None else tokens + self.position


class Embeds(nn.ModuleDict):
    """The embeddings of all streams by name."""

    def __init__(self, embeds: Mapping[str, StreamEmbed]) -> None:
        super().__init__(dict(embeds))
        self._order = sorted(embeds, key=lambda name: embeds[name].origin in ("other", "copy"))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """images: (batch, channels, height, width) -> stream name -> (batch, tokens, dim)."""
        patches: dict[str, Tensor] = {}
        streams: dict[str, Tensor] = {}
        for name in self._order:
            embed = cast(StreamEmbed, self[name])
            source = images
            if embed.origin == "other":
                [source] = patches.values()
            elif embed.origin == "copy":
                [source] = streams.values()
            patches[name], streams[name] = embed(source)
        return {name: streams[name] for name in self}
