"""How many attention heads and latent channels a read-write head has."""

from __future__ import annotations

from archdsl.spec.base import Arguments
from archdsl.spec.heads.base import HeadWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape
from archdsl.spec.values import Count, Ratio, whole


class AttentionWords(HeadWords):
    """What heads have that divide their channels among attention heads."""

    num_heads: Count | None = None
    """Number of heads; the process blocks' unless given."""
    head_dim: Count | None = None
    """Channels per head; instead of `num_heads`."""

    def heads(self, working: StreamShape, other: StreamShape, rules: Rules) -> int | None:
        """Number of heads at the width of the stream the head works in."""
        if self.num_heads and self.head_dim:
            rules.refuse("both are given: give head_dim or num_heads (null removes one)")
            return None
        if self.head_dim:
            if working.dim % self.head_dim:
                _refuse_width(self.head_dim, "head_dim", working, rules)
                return None
            return working.dim // self.head_dim
        found = self.num_heads or working.num_heads or other.num_heads
        if found is None:
            rules.refuse("missing: there is no process block to take it from", "num_heads")
            return None
        if working.dim % found:
            _refuse_width(found, "num_heads", working, rules)
            return None
        return found


class LatentWords(AttentionWords):
    """What heads have whose queries and keys meet in latent channels."""

    latent_ratio: Ratio = 1.0
    """Latent channels c as a share of the querying stream's width (the paper's c = d/4 is 0.25)."""

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> Arguments | None:
        """Keyword arguments of the module for a target that reads from a source."""
        heads = self.heads(target, source, rules)
        if heads is None:
            return None
        latent = latent_of(target, latent_ratio=self.latent_ratio, num_heads=heads, rules=rules)
        if latent is None:
            return None
        return {
            "target_dim": target.dim,
            "source_dim": source.dim,
            "latent_dim": latent,
            "num_heads": heads,
        }


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


def _refuse_width(found: int, word: str, working: StreamShape, rules: Rules) -> None:
    message = f"{found} does not divide the {working.name} stream's width {working.dim}"
    rules.refuse(message, word)
