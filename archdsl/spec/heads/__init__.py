"""Read-write heads: how tokens of a target stream gather from a source stream.

A head is one file here (its words, sizes and cost), one module in `archdsl/nn/heads/`, and one line
in the builder.
"""

from typing import Annotated

from pydantic import Field

from archdsl.spec.heads.cross_attention import CrossAttention
from archdsl.spec.heads.latent_attention import LatentAttention
from archdsl.spec.heads.linear_attention import LinearAttention
from archdsl.spec.heads.mlp import MlpHead
from archdsl.spec.heads.self_attention import SelfAttention
from archdsl.spec.heads.tied_attention import TiedAttention
from archdsl.spec.heads.token_summary import TokenSummary

Head = Annotated[
    LinearAttention
    | CrossAttention
    | LatentAttention
    | TiedAttention
    | SelfAttention
    | MlpHead
    | TokenSummary,
    Field(discriminator="type"),
]
"""Union of all heads."""

__all__ = [
    "CrossAttention",
    "Head",
    "LatentAttention",
    "LinearAttention",
    "MlpHead",
    "SelfAttention",
    "TiedAttention",
    "TokenSummary",
]
