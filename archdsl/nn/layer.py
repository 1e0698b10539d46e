"""One layer: its words in the order they run, each turning all streams into all streams."""

from __future__ import annotations

from torch import Tensor, nn

Streams = dict[str, Tensor]
"""Stream name -> tokens: (batch, tokens, dim)."""

NORM_EPS = 1e-6


class Exchange(nn.Module):
    """target <- fusion(target, head(target, source)), both normalised first.

    Args:
        target: name of the stream that reads.
        source: name of the stream that is read.
        target_dim: width of the target.
        source_dim: width of the source.
        replace: the normalised tokens become the streams (published ViTTM); otherwise only the
            head sees them.
        shared_norm: one LayerNorm for both streams.
        head: forward(target, source) -> read.
        fusion: forward(target, read) -> target.
    """

    def __init__(
        self,
        *,
        target: str,
        source: str,
        target_dim: int,
        source_dim: int,
        replace: bool,
        shared_norm: bool,
        head: nn.Module,
        fusion: nn.Module,
    ) -> None:
        super().__init__()
        self.target, self.source, self.replace = target, source, replace
        dims = {"both": target_dim} if shared_norm else {target: target_dim, source: source_dim}
        self.norms = nn.ModuleDict(
            {name: nn.LayerNorm(dim, eps=NORM_EPS) for name, dim in dims.items()}
        )
        self.head = head
        self.fusion = fusion

    def forward(self, streams: Streams) -> Streams:
        """All streams -> all streams."""
        target = self._norm(self.target, streams)
        source = self._norm(self.source, streams)
        read = self.head(target, source)
        if self.replace:
            return {**streams, self.target: self.fusion(target, read), self.source: source}
        return {**streams, self.target: self.fusion(streams[self.target], read)}

    def _norm(self, name: str, streams: Streams) -> Tensor:
        norm = self.norms[name if name in self.norms else "both"]
        normalised: Tensor = norm(streams[name])
        return normalised


class Borrowed(nn.Module):
    """A module that belongs to somebody else: called here, stored and listed there.

    Args:
        owned: the module all borrowers share.
    """

    def __init__(self, owned: nn.Module) -> None:
        super().__init__()
        self._owned = (owned,)  # a tuple, so that torch does not register it a second time

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the shared module answers."""
        answer: Tensor = self._owned[0](*inputs)
        return answer


class Blocks(nn.Module):
    """One stream through its own blocks."""

    def __init__(self, *, stream: str, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.stream = stream
        self.blocks = nn.Sequential(*blocks)

    def forward(self, streams: Streams) -> Streams:
        """All streams -> all streams."""
        return {**streams, self.stream: self.blocks(streams[self.stream])}


class Layer(nn.ModuleDict):
    """Words of a layer, by name, in the order they run (`layers[0].read` as in a document)."""

    def forward(self, streams: Streams) -> Streams:
        """All streams -> all streams."""
        for step in self.values():
            streams = step(streams)
        return streams
