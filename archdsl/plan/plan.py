"""The plan: what a model document means once defaults, ratios and exceptions are worked out.

A plan is plain immutable data. Its canonical JSON is the architecture: `arch_id` is its hash.
Fields that hold their default are left out of that JSON: a new optional field keeps old hashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any, Literal

from archdsl.records import digest

StreamName = Literal["process", "memory"]
Arguments = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class PartPlan:
    """One module: the word that names it and its keyword arguments.

    Args:
        type: the word.
        arguments: keyword arguments of its module.
        shared: all layers use the weights of one such module.
    """

    type: str
    arguments: Arguments = field(default_factory=dict)
    shared: bool = False

    def __hash__(self) -> int:
        return hash((self.type, frozenset(self.arguments.items()), self.shared))


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """One stream: `tokens` counts prefix tokens too; `grid` is (rows, columns) without them."""

    tokens: int
    dim: int
    grid: tuple[int, int]
    embed: PartPlan
    prefix_tokens: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NormPlan:
    """LayerNorm before an exchange."""

    placement: Literal["replace", "pre"]
    shared: bool


@dataclass(frozen=True, kw_only=True)
class ExchangeStep:
    """target <- fusion(target, head(queries of target, keys and values of source))."""

    word: Literal["read", "write"]
    target: StreamName
    source: StreamName
    norm: NormPlan
    head: PartPlan
    fusion: PartPlan


@dataclass(frozen=True, kw_only=True)
class BlocksStep:
    """A stream through its own blocks."""

    word: Literal["process", "memory"]
    blocks: tuple[PartPlan, ...]


Step = ExchangeStep | BlocksStep


@dataclass(frozen=True, kw_only=True)
class ClassifierPlan:
    """Pooling, norms and the linear map of one stream."""

    pool: Literal["mean", "cls"]
    norm: Literal["tokens", "pooled", "both"]


@dataclass(frozen=True, kw_only=True)
class OutputPlan:
    """Classifiers by stream, in order, and which logits `model(images)` returns."""

    num_classes: int
    classifiers: Mapping[StreamName, ClassifierPlan]
    predict: Literal["process", "memory", "mean"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole network.

    Args:
        image: (channels, height, width).
        streams: process first, then memory where there is one.
        layers: the steps of each layer, in the order they run.
        output: the classifiers.
        unused: shapes of tensors that published checkpoints hold and never use; not part of the
            architecture's identity.
    """

    image: tuple[int, int, int]
    streams: Mapping[StreamName, StreamPlan]
    layers: tuple[tuple[Step, ...], ...]
    output: OutputPlan
    unused: Mapping[str, tuple[int, ...]] = field(
        default_factory=dict, metadata={"identity": False}
    )

    @cached_property
    def arch_id(self) -> str:
        """16 hexadecimal digits that name the architecture."""
        return digest(self.canonical())

    def canonical(self) -> dict[str, Any]:
        """The plan as plain data, defaults left out: what `arch_id` is the hash of."""
        plain: dict[str, Any] = _plain(self)
        # The order of classifiers is the order `forward_heads` returns; JSON objects have none.
        plain["output"]["classifiers"] = [
            [stream, _plain(part)] for stream, part in self.output.classifiers.items()
        ]
        return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {
            each.name: _plain(getattr(value, each.name))
            for each in fields(value)
            if each.metadata.get("identity", True) and not _is_default(value, each.name)
        }
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(child) for child in value]
    return value


def _is_default(value: Any, name: str) -> bool:
    each = value.__dataclass_fields__[name]
    if each.default_factory is not MISSING:
        return bool(getattr(value, name) == each.default_factory())
    return bool(getattr(value, name) == each.default)
