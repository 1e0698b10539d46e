"""Tensors that published ViTTM checkpoints hold and never use.

The published model inherits from a ViT with 16x16 patches whose class token and position table
stay unused, and whose patch embedding is used only if the memory stream's patches are 16x16 too.
Every linear head carries an out-projection that is never called. They are why the paper's parameter
counts are larger than what runs.
"""

from __future__ import annotations

from dataclasses import replace

from archdsl.plan.plan import ExchangeStep, Plan

BASE_PATCH = 16


def unused_tensors(plan: Plan) -> Plan:
    """The same plan with shapes of unused tensors, under the names published checkpoints use."""
    channels, height, width = plan.image
    dim = plan.streams["process"].dim
    table = 1 + (height // BASE_PATCH) * (width // BASE_PATCH)
    shapes: dict[str, tuple[int, ...]] = {"cls_token": (1, 1, dim), "pos_embed": (1, table, dim)}
    patches = plan.streams["memory"].embed.arguments
    if (patches["patch_height"], patches["patch_width"]) != (BASE_PATCH, BASE_PATCH):
        shapes["patch_embed.proj.weight"] = (dim, channels, BASE_PATCH, BASE_PATCH)
        shapes["patch_embed.proj.bias"] = (dim,)
    for number, layer in enumerate(plan.layers):
        for step in layer:
            if isinstance(step, ExchangeStep) and step.head.type == "linear_attention":
                width = plan.streams[step.target].dim
                shapes[f"{step.word}_head.{number}.proj.weight"] = (width, width)
                shapes[f"{step.word}_head.{number}.proj.bias"] = (width,)
    return replace(plan, unused=shapes)
