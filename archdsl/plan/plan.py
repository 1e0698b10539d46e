"""The plan: what a model document means once defaults, ratios and exceptions are worked out.

A plan is plain immutable data. Its canonical JSON is the architecture: `arch_id` is its hash.
Fields that hold their default are left out of that JSON: a new optional field keeps old hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache, cached_property
from typing import Any, Literal

from archdsl.identity import digest, left_out
from archdsl.spec.base import Argument

StreamName = Literal["process", "memory"]
Arguments = Mapping[str, Argument]


@dataclass(frozen=True, kw_only=True)
class PartPlan:
    """One module: the word that names it and its keyword arguments.

    Args:
        type: the word.
        arguments: keyword arguments of its module.
        shared: all layers use the weights of one such module.
        unused_projection: published checkpoints hold an out-projection of it that is never called;
            not part of the architecture's identity.
    """

    type: str
    arguments: Arguments = field(default_factory=dict)
    shared: bool = False
    unused_projection: bool = field(default=False, metadata={"identity": False})

    def __hash__(self) -> int:
        return hash((self.type, frozenset(self.arguments.items()), self.shared))


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """One stream.

    Args:
        tokens: number of tokens, prefix tokens included.
        dim: width.
        grid: (rows, columns) of the tokens without prefix tokens.
        embed: how the first tokens are made.
        prefix_tokens: names of learned tokens in front.
        resize: (height, width) the embedding sees the image at; its own size unless given.
    """

    tokens: int
    dim: int
    grid: tuple[int, int]
    embed: PartPlan
    prefix_tokens: tuple[str, ...] = ()
    resize: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class NormPlan:
    """LayerNorm before an exchange.

    Args:
        placement: what becomes of the normalised tokens.
        shared: both streams use one norm.
        streams: streams that are normalised, if not both.
        weights_shared: all words of all layers use the same norms.
    """

    placement: Literal["replace", "pre", "none"]
    shared: bool
    streams: tuple[StreamName, ...] | None = None
    weights_shared: bool = False


@dataclass(frozen=True, kw_only=True)
class ExchangeStep:
    """target <- fusion(target, head(queries of target, keys and values of source)).

    Args:
        word: read or write.
        target: stream that changes.
        source: stream that is read.
        norm: what both pass first.
        head: what gathers.
        fusion: how the result joins the target.
        queries: tokens of the target that ask and change.
        keys: tokens of the source that answer; `patches` are those without prefix tokens.
        gives_map: a later word of the layer takes this head's attention map.
        takes_map_of: the head whose attention map this one goes back along.
    """

    word: Literal["read", "write"]
    target: StreamName
    source: StreamName
    norm: NormPlan
    head: PartPlan
    fusion: PartPlan
    queries: Literal["all", "cls"] = "all"
    keys: Literal["all", "patches"] = "all"
    gives_map: bool = False
    takes_map_of: PartPlan | None = None

    @property
    def normalised(self) -> tuple[StreamName, ...]:
        """Streams that pass a LayerNorm first."""
        if self.norm.placement == "none":
            return ()
        return self.norm.streams or (self.target, self.source)


@dataclass(frozen=True, kw_only=True)
class BlocksStep:
    """A stream through its own blocks."""

    word: Literal["process", "memory"]
    blocks: tuple[PartPlan, ...]


WordStep = ExchangeStep | BlocksStep


@dataclass(frozen=True, kw_only=True)
class ParallelStep:
    """Words that run from the same state, each changing a stream of its own."""

    parallel: tuple[WordStep, ...]


Step = WordStep | ParallelStep


def word_steps(layer: tuple[Step, ...]) -> Iterator[WordStep]:
    """The words of a layer one after the other."""
    for step in layer:
        if isinstance(step, ParallelStep):
            yield from step.parallel
        else:
            yield step


@dataclass(frozen=True, kw_only=True)
class ClassifierPlan:
    """Pooling, norms and the linear map of one classifier.

    Args:
        pool: how a stream's tokens become one.
        norm: where LayerNorms stand; none for a distillation token whose stream's tokens already
            pass one.
        streams: streams it sees, side by side; unless given that of its own name.
    """

    pool: Literal["mean", "cls", "distillation"]
    norm: Literal["tokens", "pooled", "both", "none"]
    streams: tuple[StreamName, ...] = ()


def classifier_streams(name: str, classifier: ClassifierPlan) -> tuple[StreamName, ...]:
    """Streams that a classifier of that name sees."""
    if classifier.streams:
        return classifier.streams
    return ("memory",) if name == "memory" else ("process",)


@dataclass(frozen=True, kw_only=True)
class OutputPlan:
    """Classifiers by name (that of their stream, `distillation` or `concat`), in order, and whose
    logits `model(images)` returns (`mean`: their average)."""

    num_classes: int
    classifiers: Mapping[str, ClassifierPlan]
    predict: str


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

    def canonical(self) -> Mapping[str, Any]:
        """The plan as plain data, defaults left out: what `arch_id` is the hash of."""
        return self._canonical

    @cached_property
    def _canonical(self) -> dict[str, Any]:
        plain: dict[str, Any] = _plain(self)
        # The order of classifiers is the order `forward_heads` returns; JSON objects have none.
        plain["output"]["classifiers"] = [
            [stream, _plain(part)] for stream, part in self.output.classifiers.items()
        ]
        return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        defaults = left_out(value, _defaults(value.__class__))
        return {
            each.name: _plain(getattr(value, each.name))
            for each in fields(value)
            if each.metadata.get("identity", True) and each.name not in defaults
        }
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(child) for child in value]
    return value


@cache
def _defaults(record: type) -> dict[str, Any]:
    """Every field that has a default counts as younger than what is stored."""
    made = {
        each.name: each.default if each.default_factory is MISSING else each.default_factory()
        for each in fields(record)
    }
    return {name: default for name, default in made.items() if default is not MISSING}
