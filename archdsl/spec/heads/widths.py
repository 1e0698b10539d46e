"""How many attention heads and latent channels a read-write head has."""

from __future__ import annotations

from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape
from archdsl.spec.values import whole


def heads_of(
    target: StreamShape, source: StreamShape, *, num_heads: int | None, rules: Rules
) -> int | None:
    """The number given, or that of the process blocks; must divide the target's width."""
    found = num_heads or target.num_heads or source.num_heads
    if found is None:
        rules.refuse("missing: there is no process block to take it from", "num_heads")
        return None
    if target.dim % found:
        message = f"{found} does not divide the {target.name} stream's width {target.dim}"
        rules.refuse(message, "num_heads")
        return None
    return found


def latent_of(
    target: StreamShape, *, latent_ratio: float, num_heads: int, rules: Rules
) -> int | None:
    """Latent channels c over all heads: a share of the target's width, whole for each head."""
    latent = latent_ratio * target.dim
    per_head = whole(latent / num_heads)
    if per_head:
        return per_head * num_heads
    near = max(1, round(latent / num_heads)) * num_heads / target.dim
    rules.refuse(
        f"{latent_ratio:g} of the width {target.dim} is {latent:g} channels: no whole number for "
        f"each of {num_heads} heads; use a multiple of {num_heads}/{target.dim}, such as {near:g}",
        "latent_ratio",
    )
    return None


def latent_arguments(
    target: StreamShape,
    source: StreamShape,
    *,
    latent_ratio: float,
    num_heads: int | None,
    rules: Rules,
) -> dict[str, int] | None:
    """Keyword arguments of a module whose queries and keys have latent channels."""
    heads = heads_of(target, source, num_heads=num_heads, rules=rules)
    if heads is None:
        return None
    latent = latent_of(target, latent_ratio=latent_ratio, num_heads=heads, rules=rules)
    if latent is None:
        return None
    return {
        "target_dim": target.dim,
        "source_dim": source.dim,
        "latent_dim": latent,
        "num_heads": heads,
    }
