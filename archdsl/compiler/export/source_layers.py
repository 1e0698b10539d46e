"""The layers of an exported source file: a class for each kind of layer, its words in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import nn

from archdsl.compiler.export.source_heads import OF_SOURCE, layer_norm
from archdsl.compiler.export.source_text import (
    Call,
    Classes,
    Expression,
    call,
    class_text,
    flat,
    line,
    lines,
)
from archdsl.compiler.export.source_words import word_call
from archdsl.nn.layer import Blocks, Borrowed, Exchange, Layer, TiedExchange
from archdsl.nn.network import Network
from archdsl.plan.plan import BlocksStep, ExchangeStep, ParallelStep, StreamPlan, WordStep

Parts = dict[str, Expression]
"""What makes modules, by name."""


def norm_call(norm: nn.Module) -> str:
    """A LayerNorm as text."""
    assert isinstance(norm, nn.LayerNorm)
    return layer_norm(str(norm.normalized_shape[0]), norm.eps)


def shape_of(stream: StreamPlan, tokens: int | None = None) -> str:
    """Of the tokens of a stream, or of some of them."""
    return f"(batch, {tokens or stream.tokens}, {stream.dim})"


class LayerSource:
    """A layer as text.

    Args:
        network: whose layer.
        number: of the layer.
        classes: those of the file.
    """

    def __init__(self, network: Network, number: int, classes: Classes) -> None:
        self._streams = {str(name): each for name, each in network.plan.streams.items()}
        self._layer, self._classes = cast(Layer, network.layers[number]), classes
        self._own: dict[str, Parts] = {}
        self.shared: Parts = {}
        """What it borrows."""
        self._body: list[str] = []
        self._order: list[str] = []
        for step in network.plan.layers[number]:
            group = step.parallel if isinstance(step, ParallelStep) else (step,)
            self._order.append(" and ".join(each.word for each in group))
            self._together(group)

    def text(self, *, shared: bool) -> str:
        """Of its class; whether layers are handed what they share."""
        names = list(self._streams)
        takes = [f"{name}: Tensor" for name in names] + ["shared: Parts"] * shared
        shapes = ", ".join(f"{name} {shape_of(each)}" for name, each in self._streams.items())
        return class_text(
            f"In order: {', '.join(self._order)}.",
            init=[line(f"self.{word} = ", call("Parts", **own)) for word, own in self._own.items()],
            takes=", ".join(takes),
            shapes=f"{shapes} -> the same.",
            gives="Tensor" if len(names) == 1 else "tuple[Tensor, Tensor]",
            forward=[*self._body, *lines(f"return {', '.join(names)}")],
        )

    def _together(self, group: Sequence[WordStep]) -> None:
        """Words that run from the same tokens; a changed stream gets another name for as long as
        one of them is still to see it as it was."""
        later: list[str] = []
        for number, step in enumerate(group):
            seen = any(isinstance(each, ExchangeStep) for each in group[number + 1 :])
            changed = _changes(step) + "_after" * seen
            if seen:
                later.append(_changes(step))
            if isinstance(step, BlocksStep):
                self._blocks(step, changed)
            else:
                self._exchange(step, changed, alone=len(group) == 1)
        if later:
            after = ", ".join(f"{name}_after" for name in later)
            self._body += lines(f"{', '.join(later)} = {after}")

    def _blocks(self, step: BlocksStep, changed: str) -> None:
        stream = step.word
        shape = f"  # {shape_of(self._streams[stream])}"
        calls = [word_call("block", each, self._classes) for each in step.blocks]
        modules = list(cast(Blocks, self._layer[stream]).blocks)
        if not isinstance(modules[0], Borrowed):
            alike = len(calls) > 1 and all(each == calls[0] for each in calls)
            inside: list[Expression] = [*calls]
            if alike:
                inside = [f"*({flat(calls[0])} for _ in range({len(calls)}))"]
            self._own[stream] = {"blocks": call("nn.Sequential", *inside)}
            self._body += lines(f"{changed} = self.{stream}.blocks({stream}){shape}")
            return
        source: str = stream
        for module, made in zip(modules, calls, strict=True):
            block = self._place(stream, "", module, made)
            self._body += lines(f"{changed} = {block}({source}){shape}")
            source = changed

    def _exchange(self, step: ExchangeStep, changed: str, *, alone: bool) -> None:
        module = cast(Exchange, self._layer[step.word])
        target, source, start = self._normalised(step, module, alone=alone)
        rest = start
        if module.skipped:
            source = f"{source}[:, {module.skipped}:]"
        if module.queries:
            target, start = f"{target}[:, :{module.queries}]", f"{start}[:, :{module.queries}]"
        read = self._head(step, module, target, source)
        gathered = "read" if step.word == "read" else "written"
        shape = shape_of(self._streams[step.target], module.queries)
        if step.fusion.type == "erase" and not module.queries and not step.gives_map:
            self._body += lines(f"{changed} = {read}  # {shape}")
            return
        names = f"{gathered}, shares" if step.gives_map else gathered
        self._body += lines(f"{names} = {read}  # {shape}")
        fused = self._fused(step, module, start, gathered)
        if module.queries:
            fused = f"torch.cat([{fused}, {rest}[:, {module.queries}:]], dim=1)"
        self._body += lines(f"{changed} = {fused}")

    def _normalised(
        self, step: ExchangeStep, module: Exchange, *, alone: bool
    ) -> tuple[str, str, str]:
        """The names of what asks, of what is read, and of what the result joins."""
        norms = {
            name: self._place(f"{step.word}.norms", name, each, norm_call(_owned(each)))
            for name, each in module.norms.items()
        }
        replace = step.norm.placement == "replace"
        looks = replace or not (step.head.type in OF_SOURCE or step.takes_map_of)
        seen = {}
        for role, stream in (("target", step.target), ("source", step.source)):
            norm = norms.get(stream, norms.get("both"))
            seen[role] = role if norm and not (replace and alone) else stream
            if norm and (role == "source" or looks):
                self._body += lines(f"{seen[role]} = {norm}({stream})")
        return seen["target"], seen["source"], seen["target"] if replace else step.target

    def _head(self, step: ExchangeStep, module: Exchange, target: str, source: str) -> str:
        made = word_call("head", step.head, self._classes, mapped=step.gives_map)
        head = self._place(step.word, "head", module.head, made)
        if step.head.type in OF_SOURCE:
            return f"{head}({source})"
        if isinstance(module, TiedExchange):
            if isinstance(module.values, Borrowed):
                read = cast(Exchange, self._layer["read"]).head
                values = read.path if isinstance(read, Borrowed) else "self.read.head"
                source = f"{values}.v({source})"
            target = "shares"
        return f"{head}({target}, {source})"

    def _fused(self, step: ExchangeStep, module: Exchange, target: str, read: str) -> str:
        if step.fusion.type == "add":
            return f"{target} + {read}"
        if step.fusion.type == "erase":
            return read
        made = word_call("fusion", step.fusion, self._classes)
        return f"{self._place(step.word, 'fusion', module.fusion, made)}({target}, {read})"

    def _place(self, word: str, name: str, module: nn.Module, made: Call | str) -> str:
        """Where a module stands, once it is noted what makes it."""
        if isinstance(module, Borrowed):
            self.shared[module.path.removeprefix("shared.")] = made
            return module.path
        word, _, inner = word.partition(".")
        own = self._own.setdefault(word, {})
        if not inner:
            own[name] = made
            return f"self.{word}.{name}"
        known = own.get(inner, call("Parts"))
        assert isinstance(known, Call)
        own[inner] = Call("Parts", [*known.arguments, (f"{name}=", made)])
        return f"self.{word}.{inner}.{name}"


def _changes(step: WordStep) -> str:
    return step.word if isinstance(step, BlocksStep) else step.target


def _owned(module: nn.Module) -> nn.Module:
    return module.owned if isinstance(module, Borrowed) else module
