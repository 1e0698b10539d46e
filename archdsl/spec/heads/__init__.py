"""Read-write heads: how tokens of a target stream gather from a source stream.

A head is one file here (its words, sizes and cost), one module in `archdsl/nn/heads/`, and one line
in the builder.
"""

from archdsl.spec.heads.linear_attention import LinearAttention

Head = LinearAttention
"""Union of all heads."""

__all__ = ["Head", "LinearAttention"]
