"""Reads and writes of a layer: heads, fusions and norms with every size worked out."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from archdsl.document.messages import counted
from archdsl.plan.plan import ExchangeStep, NormPlan, PartPlan, StreamName
from archdsl.plan.streams import Shapes
from archdsl.spec.base import Arguments
from archdsl.spec.exchange import Exchange
from archdsl.spec.heads import CrossAttention, Head, LinearAttention, TiedAttention
from archdsl.spec.rules import Rules

ExchangeWord = Literal["read", "write"]
SIDES: dict[ExchangeWord, tuple[StreamName, StreamName]] = {
    "read": ("process", "memory"),
    "write": ("memory", "process"),
}
"""Target and source of each word."""


def exchange_step(
    word: ExchangeWord, exchange: Exchange, shapes: Shapes, rules: Rules
) -> ExchangeStep | None:
    """One read or write; None where the layer has none, or it is refused."""
    head = _head(exchange, word)
    if head is None or len(shapes) < 2:
        return None
    names = SIDES[word]
    target, source = shapes[names[0]], shapes[names[1]]
    norm = _norm(exchange, head, names, shapes, rules)
    at = rules.at("exchange", word)
    sized = target.sized and source.sized
    if head.token_by_token and sized and target.tokens != source.tokens:
        found = (
            f"{target.name} has {counted(target.tokens, 'token')}, {source.name} {source.tokens}"
        )
        at.refuse(f"{head.type} joins the streams token by token: {found}", "type")
    arguments = head.arguments(target=target, source=source, rules=at)
    read = (
        _read_of(word, head, exchange, shapes, rules) if isinstance(head, TiedAttention) else None
    )
    if isinstance(head, TiedAttention):
        arguments = _tied(arguments, read)
    if arguments is None:
        return None
    cross = head if isinstance(head, CrossAttention) else None
    queries = cross.queries if cross else "all"
    tokens = 1 if queries == "cls" else target.tokens
    return ExchangeStep(
        word=word,
        target=names[0],
        source=names[1],
        norm=norm,
        head=_part(head, arguments),
        fusion=PartPlan(
            type=head.fusion.type,
            arguments=head.fusion.arguments(tokens=tokens, dim=target.dim),
            shared=head.fusion.shared,
        ),
        queries=queries,
        keys=cross.keys if cross else "all",
        gives_map=word == "read" and isinstance(exchange.write, TiedAttention),
        takes_map_of=read,
    )


def _part(head: Head, arguments: Arguments) -> PartPlan:
    return PartPlan(
        type=head.type,
        arguments=arguments,
        shared=head.weights == "shared",
        unused_projection=isinstance(head, LinearAttention) and head.out_proj == "allocated",
    )


def _head(exchange: Exchange, word: ExchangeWord) -> Head | None:
    return exchange.read if word == "read" else exchange.write


def _norm(
    exchange: Exchange,
    head: Head,
    names: tuple[StreamName, StreamName],
    shapes: Shapes,
    rules: Rules,
) -> NormPlan:
    """The norm of a word, written the same way wherever it computes the same."""
    norm = exchange.norm
    if norm.placement == "none":
        for key, default in (("shared", True), ("weights", "per_layer")):
            if getattr(norm, key) != default:
                rules.refuse("has no effect: there is no norm", "exchange", "norm", key)
        return NormPlan(placement="none", shared=True)
    whole = NormPlan(
        placement=norm.placement, shared=norm.shared, weights_shared=norm.weights == "shared"
    )
    source_only = norm.placement == "pre" and not head.reads_target
    if source_only and not whole.weights_shared:
        # One stream's own norm is the same however many streams it could serve.
        return replace(whole, shared=False, streams=(names[1],))
    if norm.shared and len({shapes[name].dim for name in names}) > 1:
        widths = " and ".join(str(shape.dim) for shape in shapes.values())
        message = f"one norm cannot serve the widths {widths}; write shared: false"
        rules.refuse(message, "exchange", "norm", "shared")
    return replace(whole, streams=(names[1],)) if source_only else whole


def _tied(arguments: Arguments | None, read: PartPlan | None) -> Arguments | None:
    """The arguments of a tied head, whose number of heads is that of its read."""
    if arguments is None or read is None:
        return None
    return {**arguments, "num_heads": read.arguments["num_heads"]}


def _read_of(
    word: ExchangeWord, head: TiedAttention, exchange: Exchange, shapes: Shapes, rules: Rules
) -> PartPlan | None:
    """The read whose attention map a tied write goes back along."""
    at = rules.at("exchange", word)
    read = exchange.read
    if word == "read":
        at.refuse("a write goes back along the read's map; a read has none to take", "type")
        return None
    if not isinstance(read, CrossAttention):
        found = f"the layer's read is {read.type}" if read else "the layer has no read"
        at.refuse(f"takes the map of a cross_attention read; {found}", "type")
        return None
    _check_order(exchange, at)
    _check_whole(read, rules.at("exchange", "read"))
    if head.values == "tied" and head.weights == "shared" and read.weights != "shared":
        message = (
            "shared weights with tied values need a shared read: exchange.read.weights: shared"
        )
        at.refuse(message, "weights")
    process, memory = shapes["process"], shapes["memory"]
    arguments = read.arguments(target=process, source=memory, rules=rules.at("exchange", "read"))
    if arguments is None:
        return None
    num_heads = int(str(arguments["num_heads"]))
    if memory.dim % num_heads:
        found = f"the read's {num_heads} heads do not divide the memory stream's width {memory.dim}"
        at.refuse(found, "type")
        return None
    return _part(read, arguments)


def _check_order(exchange: Exchange, rules: Rules) -> None:
    places = [place for place in exchange.places() if {"read", "write"} & set(place)]
    words = [word for place in exchange.places() for word in place if word in ("read", "write")]
    if words == ["write", "read"] or len(places) == 1:
        rules.refuse("the read must come before it in exchange.order", "type")


def _check_whole(read: CrossAttention, rules: Rules) -> None:
    """A map that goes back must be of all tokens of both streams, in the target's width."""
    partial = {
        "queries": read.queries != "all",
        "keys": read.keys != "all",
        "with_query": read.with_query,
        "width": read.width != "target",
    }
    for key in (key for key, found in partial.items() if found):
        message = "a tied_attention write takes the map of all tokens of both streams"
        rules.refuse(f"{message}: leave {key} out", key)
