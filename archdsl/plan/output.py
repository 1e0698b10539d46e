"""The answers of a network, with their defaults worked out."""

from __future__ import annotations

from typing import Literal

from archdsl.plan.plan import ClassifierPlan, OutputPlan, StreamName
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import Rules

Norm = Literal["tokens", "pooled", "both"]


def expand_output(spec: ModelSpec, rules: Rules) -> OutputPlan:
    """Classifiers of `spec.output`; broken rules are added to `rules`."""
    output, rules = spec.output, rules.at("output")
    streams: tuple[StreamName, ...] = output.streams or (
        ("memory", "process") if spec.memory else ("process",)
    )
    if len(set(streams)) < len(streams):
        rules.refuse("names a stream twice", "streams")
    if "memory" in streams and not spec.memory:
        rules.refuse("there is no memory stream", "streams")
        streams = ("process",)
    predict = output.predict or streams[0]
    if predict != "mean" and predict not in streams:
        known = ", ".join(dict.fromkeys(streams))
        message = f"'{predict}' has no classifier; streams are {known}"
        rules.refuse(message, "predict")
    if predict == "mean" and len(streams) == 1:
        rules.refuse("there is only one classifier to average", "predict")
    for name, norm in (("process", output.norm.process), ("memory", output.norm.memory)):
        if norm and name not in streams:
            rules.refuse("has no effect: this stream has no classifier", "norm", name)
    classifiers = {name: _classifier(spec, name, rules) for name in streams}
    return OutputPlan(num_classes=output.num_classes, classifiers=classifiers, predict=predict)


def _classifier(spec: ModelSpec, name: StreamName, rules: Rules) -> ClassifierPlan:
    pool = spec.output.pool
    stream = spec.process if name == "process" else spec.memory
    if pool == "cls" and stream and "cls" not in stream.prefix_tokens:
        message = f"the {name} stream has no class token; write {name}.prefix_tokens: [cls]"
        rules.refuse(message, "pool")
    written = spec.output.norm.process if name == "process" else spec.output.norm.memory
    return ClassifierPlan(pool=pool, norm=written or _default_norm(spec, name))


def _default_norm(spec: ModelSpec, name: StreamName) -> Norm:
    """timm's habit for one stream; for two streams what published ViTTM models compute."""
    if spec.output.pool == "cls":
        return "tokens"
    if spec.memory is None:
        return "pooled"
    return "both" if name == "process" else "pooled"
