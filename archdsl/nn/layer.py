"""One layer: its words in the order they run, each turning all streams into all streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Streams = dict[str, Tensor]
"""Stream name -> tokens: (batch, tokens, dim). Inside a layer also `MAP`."""

NORM_EPS = 1e-6
MAP = "attention map"
"""Where a read leaves its attention map for a later word of the layer."""


def stream_norm(dim: int) -> nn.LayerNorm:
    """The LayerNorm before an exchange."""
    return nn.LayerNorm(dim, eps=NORM_EPS)


class Exchange(nn.Module):
    """target <- fusion(target, head(target, source)), normalised first.

    Args:
        target: name of the stream that reads.
        source: name of the stream that is read.
        norms: LayerNorms by the name of their stream, or one for `both`; a stream without one is
            not normalised.
        replace: the normalised tokens become the streams (published ViTTM); otherwise only the
            head sees them.
        head: forward(target, source) -> read.
        fusion: forward(target, read) -> target.
        queries: only that many of the first tokens of the target ask and change; all unless given.
        skipped: number of first tokens of the source that are not read.
    """

    def __init__(
        self,
        *,
        target: str,
        source: str,
        norms: Mapping[str, nn.Module],
        replace: bool,
        head: nn.Module,
        fusion: nn.Module,
        queries: int | None = None,
        skipped: int = 0,
    ) -> None:
        super().__init__()
        self.target, self.source, self.replace = target, source, replace
        self.queries, self.skipped = queries, skipped
        self.norms = nn.ModuleDict(dict(norms))
        self.head = head
        self.fusion = fusion

    def forward(self, streams: Streams) -> Streams:
        """All streams -> all streams."""
        target = self._norm(self.target, streams)
        source = self._norm(self.source, streams)
        start = target if self.replace else streams[self.target]
        changed = {self.source: source} if self.replace else {}
        if self.skipped:
            source = source[:, self.skipped :]
        if self.queries is None:
            read, left = self.read(streams, target, source)
            fused = self.fusion(start, read)
        else:
            read, left = self.read(streams, target[:, : self.queries], source)
            fused = self.fusion(start[:, : self.queries], read)
            fused = torch.cat([fused, start[:, self.queries :]], dim=1)
        return {**streams, **changed, **left, self.target: fused}

    def read(self, streams: Streams, target: Tensor, source: Tensor) -> tuple[Tensor, Streams]:
        """What the head gathers for the target, and what it leaves for later words."""
        return self.head(target, source), {}

    def read_source(self, source: Tensor) -> Tensor:
        """What a head gathers that does not look at the target."""
        streams = {self.source: source}
        read, _ = self.read(streams, source, self._norm(self.source, streams))
        return read

    def norm_of(self, stream: str) -> nn.Module | None:
        """What a stream passes first."""
        names = [name for name in (stream, "both") if name in self.norms]
        return self.norms[names[0]] if names else None

    def _norm(self, name: str, streams: Streams) -> Tensor:
        norm = self.norm_of(name)
        return streams[name] if norm is None else norm(streams[name])


class MappedExchange(Exchange):
    """An exchange whose head leaves its attention map for a later word of the layer."""

    def read(self, streams: Streams, target: Tensor, source: Tensor) -> tuple[Tensor, Streams]:
        """What the head gathers for the target, and its map."""
        read, shares = self.head(target, source, need_map=True)
        return read, {MAP: shares}


class TiedExchange(Exchange):
    """An exchange whose head goes back along the map that an earlier word has left.

    Args:
        values: projects the source in place of the head.
        arguments: those of `Exchange`.
    """

    def __init__(self, *, values: Borrowed | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.values = values or nn.Identity()

    def read(self, streams: Streams, target: Tensor, source: Tensor) -> tuple[Tensor, Streams]:
        """What comes back to the target along the map."""
        return self.head(streams[MAP], self.values(source)), {}


class Borrowed(nn.Module):
    """A module that stands elsewhere in the network: looked up at each call, stored there alone.

    Args:
        path: where it stands, from the root; other borrowed modules may lie on the way.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def look_in(self, root: nn.Module, own_path: str) -> None:
        """Look the module up in a network from now on.

        Args:
            root: the network.
            own_path: where in it this borrower stands.
        """
        names = self.path.split(".")
        pairs = zip(names, own_path.split("."), strict=False)
        start = 1 + next(at for at, (theirs, own) in enumerate(pairs) if theirs != own)
        # The largest module around it that does not hold this one: a network that holds itself
        # would not be freed at once. A tuple, so that torch does not register it a second time.
        self._holder = (root.get_submodule(".".join(names[:start])),)
        self._first, *self._others = names[start:]

    @property
    def owned(self) -> nn.Module:
        """The module all borrowers share.

        Raises:
            KeyError: nothing stands there.
        """
        # As quick as can be, and without `getattr`: a network may ask a hundred times a call.
        modules: dict[str, Any] = self._holder[0]._modules
        module: nn.Module = modules[self._first]
        for name in self._others:
            holder: Any = module.owned if isinstance(module, Borrowed) else module
            module = holder._modules[name]
        return module

    def is_there(self) -> bool:
        """Whether the module is found."""
        try:
            return self.owned is not None
        except KeyError:
            return False

    def forward(self, *inputs: Tensor, **options: bool) -> Any:
        """What the shared module answers."""
        return self.owned(*inputs, **options)


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
    """Words of a layer, by name (`layers[0].read` as in a document).

    Args:
        words: name -> module, in the order they run.
        together: groups of words that run from the same state, each with the stream it changes.
    """

    def __init__(
        self, words: Mapping[str, nn.Module], together: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(dict(words))
        self.together = {word: dict(group) for group in together for word in group}

    def forward(self, streams: Streams) -> Streams:
        """All streams -> all streams."""
        state = streams
        for word, step in self.items():
            group = self.together.get(word)
            if group is None:
                state = step(state)
            elif word == next(iter(group)):
                state = self._together(state, group)
        return {name: state[name] for name in streams}

    def _together(self, state: Streams, group: Mapping[str, str]) -> Streams:
        """All words of a group from one state; each gives its stream, and its map if any."""
        changed: Streams = {}
        for word, stream in group.items():
            after = self[word](state)
            changed |= {name: after[name] for name in (stream, MAP) if name in after}
        return {**state, **changed}
