"""The answers of a network, with their defaults worked out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from archdsl.plan.plan import ClassifierPlan, OutputPlan, StreamName, StreamPlan
from archdsl.spec.model import ModelSpec
from archdsl.spec.output import OutputPools
from archdsl.spec.rules import Rules

Norm = Literal["tokens", "pooled", "both"]
Streams = Mapping[StreamName, StreamPlan]

_OF_DISTILLATION: dict[str, Literal["none", "pooled"]] = {
    "tokens": "none",
    "pooled": "pooled",
    "both": "pooled",
}
"""What is left to normalise once the class token's classifier has normalised all tokens."""


def expand_output(spec: ModelSpec, streams: Streams, rules: Rules) -> OutputPlan:
    """Classifiers of `spec.output`; broken rules are added to `rules`."""
    output, root, rules = spec.output, rules, rules.at("output")
    names = _names(spec, rules)
    _check_norms(spec, names, rules)
    for name in names:
        _check_pool(spec, streams, name, rules)
    if isinstance(output.pool, OutputPools):
        for unseen in {"process", "memory"} - set(names):
            if unseen in output.pool.model_fields_set:
                rules.refuse("has no effect: this stream has no classifier", "pool", unseen)
    classifiers = (
        {"concat": _together(spec, names, rules)}
        if output.combine
        else _apart(spec, streams, names, root)
    )
    _check_distillation(spec, streams, classifiers, names, rules)
    return OutputPlan(
        num_classes=output.num_classes,
        classifiers=classifiers,
        predict=_predict(spec, list(classifiers), rules),
    )


def _names(spec: ModelSpec, rules: Rules) -> tuple[StreamName, ...]:
    """Streams that are classified."""
    names: tuple[StreamName, ...] = spec.output.streams or (
        ("memory", "process") if spec.memory else ("process",)
    )
    if len(set(names)) < len(names):
        rules.refuse("names a stream twice", "streams")
    if "memory" in names and not spec.memory:
        rules.refuse("there is no memory stream", "streams")
        return ("process",)
    return tuple(dict.fromkeys(names))


def _check_norms(spec: ModelSpec, names: tuple[StreamName, ...], rules: Rules) -> None:
    norms = {"process": spec.output.norm.process, "memory": spec.output.norm.memory}
    for name, norm in norms.items():
        if norm and spec.output.combine:
            message = "has no effect: concat has one norm, over the pooled tokens side by side"
            rules.refuse(message, "norm", name)
        elif norm and name not in names:
            rules.refuse("has no effect: this stream has no classifier", "norm", name)


def _check_pool(spec: ModelSpec, streams: Streams, name: StreamName, rules: Rules) -> None:
    if spec.output.pool_of(name) == "cls" and "cls" not in streams[name].prefix_tokens:
        message = f"the {name} stream has no class token; write {name}.prefix_tokens: [cls]"
        where = ("pool", name) if isinstance(spec.output.pool, OutputPools) else ("pool",)
        rules.refuse(message, *where)


def _together(spec: ModelSpec, names: tuple[StreamName, ...], rules: Rules) -> ClassifierPlan:
    """One classifier on all streams side by side."""
    if len(names) == 1:
        rules.refuse("there is only one stream to classify", "combine")
    pools = {spec.output.pool_of(name) for name in names}
    if len(pools) > 1:
        rules.refuse("concat pools all streams alike; write mean or cls", "pool")
    return ClassifierPlan(pool=spec.output.pool_of(names[0]), norm="pooled", streams=names)


def _apart(
    spec: ModelSpec, streams: Streams, names: tuple[StreamName, ...], rules: Rules
) -> dict[str, ClassifierPlan]:
    """A classifier for each stream, and one for a distillation token."""
    classifiers: dict[str, ClassifierPlan] = {}
    for name in names:
        pool = spec.output.pool_of(name)
        written = spec.output.norm.process if name == "process" else spec.output.norm.memory
        norm = written or _default_norm(spec, name)
        classifiers[name] = ClassifierPlan(pool=pool, norm=norm)
        if pool == "cls" and "distillation" in streams[name].prefix_tokens:
            if "distillation" in classifiers:
                message = "the other stream has a distillation token too; only one may"
                rules.refuse(message, name, "prefix_tokens")
            classifiers["distillation"] = ClassifierPlan(
                pool="distillation", norm=_OF_DISTILLATION[norm], streams=(name,)
            )
    return classifiers


def _check_distillation(
    spec: ModelSpec,
    streams: Streams,
    classifiers: Mapping[str, ClassifierPlan],
    names: tuple[StreamName, ...],
    rules: Rules,
) -> None:
    """A distillation token is there for a classifier of its own beside the class token's."""
    for name, stream in streams.items():
        if "distillation" not in stream.prefix_tokens or "distillation" in classifiers:
            continue
        token = f"the {name} stream's distillation token needs a classifier of its own"
        if spec.output.combine:
            rules.refuse(f"{token}; with concat there is none", "combine")
        elif name not in names:
            rules.refuse(f"{token}; add {name}", "streams")
        else:
            rules.refuse(f"{token} beside the class token's; write cls", "pool")


def _predict(spec: ModelSpec, names: list[str], rules: Rules) -> str:
    predict = spec.output.predict
    if predict is None:
        return "mean" if "distillation" in names else names[0]
    if predict == "mean" and len(names) == 1:
        rules.refuse("there is only one classifier to average", "predict")
    elif predict != "mean" and predict not in names:
        kind = "classifiers" if {"concat", "distillation"} & set(names) else "streams"
        message = f"'{predict}' has no classifier; {kind} are {', '.join(names)}"
        rules.refuse(message, "predict")
    return predict


def _default_norm(spec: ModelSpec, name: StreamName) -> Norm:
    """timm's habit for one stream; for two streams what published ViTTM models compute."""
    if spec.output.pool_of(name) == "cls":
        return "tokens"
    if spec.memory is None:
        return "pooled"
    return "both" if name == "process" else "pooled"
