"""Tensors that published ViTTM checkpoints hold and never use.

The published model inherits from a ViT with 16x16 patches whose class token and position table
stay unused, and whose patch embedding is used only if the memory stream's patches are 16x16 too.
Every linear head carries an out-projection that is never called. They are why the paper's parameter
counts are larger than what runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archdsl.plan.plan import ExchangeStep, Plan, word_steps

BASE_PATCH = 16

Shapes = dict[str, tuple[int, ...]]


def unused_tensors(plan: Plan, *, inherited: bool) -> Plan:
    """The same plan with shapes of unused tensors, under the names published checkpoints use.

    Args:
        plan: a whole network.
        inherited: whether to allocate what published models inherit, and the unused projections of
            all linear heads; otherwise only those a document asks for.
    """
    shapes: Shapes = _of_vit(plan) if inherited else {}
    for number, step in _linear_steps(plan):
        if not step.head.arguments.get("out_proj") and (inherited or step.head.unused_projection):
            width = plan.streams[step.target].dim
            shapes[f"{step.word}_head.{number}.proj.weight"] = (width, width)
            shapes[f"{step.word}_head.{number}.proj.bias"] = (width,)
    return replace(plan, unused=shapes) if shapes else plan


def _of_vit(plan: Plan) -> Shapes:
    channels, height, width = plan.image
    dim = plan.streams["process"].dim
    table = 1 + (height // BASE_PATCH) * (width // BASE_PATCH)
    shapes: Shapes = {"cls_token": (1, 1, dim), "pos_embed": (1, table, dim)}
    patches = plan.streams["memory"].embed.arguments
    if (patches.get("patch_height"), patches.get("patch_width")) != (BASE_PATCH, BASE_PATCH):
        shapes["patch_embed.proj.weight"] = (dim, channels, BASE_PATCH, BASE_PATCH)
        shapes["patch_embed.proj.bias"] = (dim,)
    return shapes


def _linear_steps(plan: Plan) -> Iterator[tuple[int, ExchangeStep]]:
    for number, layer in enumerate(plan.layers):
        for step in word_steps(layer):
            if isinstance(step, ExchangeStep) and step.head.type == "linear_attention":
                yield number, step
