"""The streams of a model: their sizes, and what their first tokens are made from."""

from __future__ import annotations

from dataclasses import dataclass, field

from archdsl.plan.plan import PartPlan, StreamName, StreamPlan
from archdsl.spec.blocks import TransformerBlock
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import Grid, Source, StreamShape
from archdsl.spec.streams import MemoryStream, ProcessStream

Shapes = dict[StreamName, StreamShape]
OTHER: dict[StreamName, StreamName] = {"process": "memory", "memory": "process"}

_ANY: Grid = (1, 1)
"""In place of sizes that are refused, so that every other word can still be judged."""


@dataclass(frozen=True)
class _Expansion:
    """Streams of one document, each worked out after what it is made from."""

    spec: ModelSpec
    rules: Rules
    refused: set[StreamName] = field(default_factory=set)

    def stream(self, name: StreamName) -> ProcessStream | MemoryStream:
        stream = self.spec.process if name == "process" else self.spec.memory
        if stream is None:
            raise LookupError(name)
        return stream

    def dim(self, name: StreamName) -> int:
        return self.stream(name).dim or self.spec.process.dim

    def make(self, name: StreamName, made: dict[StreamName, StreamPlan]) -> StreamPlan:
        stream, rules = self.stream(name), self.rules.at(name)
        origin, dim = stream.embed.origin, self.dim(name)
        if stream.resize and origin != "image":
            rules.refuse("has no effect: this stream does not see the image", "resize")
        source = self._source(name, made)
        grid = source and stream.embed.layout(source, rules.at("embed"))
        if grid is None:
            self.refused.add(name)
        prefix: tuple[str, ...] = stream.prefix_tokens
        prefix = _checked_prefix(prefix, rules)
        if origin == "copy":
            prefix = self._copied_prefix(name, made)
        shape = grid or _ANY
        arguments = stream.embed.arguments(
            source=source or Source(grid=_ANY, channels=dim), dim=dim, grid=shape
        )
        return StreamPlan(
            tokens=shape[0] * shape[1] + len(prefix),
            dim=dim,
            grid=shape,
            embed=PartPlan(type=stream.embed.type, arguments=arguments),
            prefix_tokens=prefix,
            resize=stream.resize if stream.resize != self.spec.image.size else None,
        )

    def _source(self, name: StreamName, made: dict[StreamName, StreamPlan]) -> Source | None:
        """What a stream's tokens are made from; None where it is refused."""
        stream, rules = self.stream(name), self.rules.at(name, "embed")
        origin = stream.embed.origin
        if origin in ("image", "nothing"):
            grid = stream.resize or self.spec.image.size
            return Source(grid=grid, channels=self.spec.image.channels)
        other = made.get(OTHER[name])
        if self.spec.memory is None:
            rules.refuse("there is no other stream to make it from", "type")
            return None
        theirs = self.stream(OTHER[name]).embed
        if theirs.origin in ("other", "copy"):
            message = f"the {OTHER[name]} stream is made from this one ({theirs.type})"
            rules.refuse(f"{message}; one of the two must start by itself", "type")
            return None
        if origin == "other" and theirs.origin == "nothing":
            rules.refuse(f"the {OTHER[name]} stream's tokens are learned and have no grid", "type")
            return None
        if other is None:
            raise LookupError(OTHER[name])
        if origin == "copy" and other.dim != self.dim(name):
            message = (
                f"the {OTHER[name]} stream has the width {other.dim}, this one {self.dim(name)}"
            )
            rules.refuse(f"{message}; a copy has the same", "type")
        # What has no size cannot be compared with.
        if OTHER[name] in self.refused:
            return None
        return Source(grid=other.grid, channels=other.dim)

    def _copied_prefix(
        self, name: StreamName, made: dict[StreamName, StreamPlan]
    ) -> tuple[str, ...]:
        if self.stream(name).prefix_tokens and self.spec.memory:
            message = f"has no effect: the {OTHER[name]} stream's prefix tokens are copied"
            self.rules.refuse(message, name, "prefix_tokens")
        other = made.get(OTHER[name])
        return other.prefix_tokens if other else ()


Streams = dict[StreamName, StreamPlan]


def expand_streams(spec: ModelSpec, rules: Rules) -> tuple[Streams, Shapes]:
    """The plans of the streams, process first, and their sizes as words around them need them;
    broken rules are added to `rules`."""
    expansion = _Expansion(spec, rules)
    names: list[StreamName] = ["process", "memory"] if spec.memory else ["process"]
    made: dict[StreamName, StreamPlan] = {}
    for name in sorted(names, key=lambda each: _comes_later(expansion.stream(each))):
        made[name] = expansion.make(name, made)
    origins = {expansion.stream(name).embed.origin for name in names}
    if "image" not in origins and not rules.broken:
        message = "no stream sees the image; start one with patch or conv_stem"
        rules.refuse(message, "process", "embed", "type")
    streams = {name: made[name] for name in names}
    return streams, _shapes(spec, streams, expansion.refused, rules)


def _shapes(spec: ModelSpec, streams: Streams, refused: set[StreamName], rules: Rules) -> Shapes:
    block = spec.process.block
    num_heads = None
    if isinstance(block, TransformerBlock):
        num_heads = block.heads(spec.process.dim, rules.at("process", "block")) or 1
    return {
        name: StreamShape(
            name=name,
            grid=stream.grid,
            prefix_tokens=len(stream.prefix_tokens),
            dim=stream.dim,
            num_heads=num_heads,
            sized=name not in refused,
        )
        for name, stream in streams.items()
    }


def _comes_later(stream: ProcessStream | MemoryStream) -> bool:
    return stream.embed.origin in ("other", "copy")


def _checked_prefix(prefix: tuple[str, ...], rules: Rules) -> tuple[str, ...]:
    """Prefix tokens as they would be, written right."""
    if len(set(prefix)) < len(prefix):
        rules.refuse("names a token twice", "prefix_tokens")
    elif prefix and prefix[0] != "cls":
        rules.refuse("the class token comes first; write [cls, distillation]", "prefix_tokens")
        return ("cls", "distillation")
    return tuple(dict.fromkeys(prefix))
