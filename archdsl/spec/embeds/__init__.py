"""How a stream's first tokens are made: from the image, from the other stream, or learned.

An embedding is one file here (its words, sizes and cost) and one line in the builder.
"""

from typing import Annotated

from pydantic import Field

from archdsl.spec.embeds.conv_stem import ConvStem
from archdsl.spec.embeds.copy import CopyEmbed
from archdsl.spec.embeds.downsample import Downsample
from archdsl.spec.embeds.learned import LearnedEmbed
from archdsl.spec.embeds.patch import PatchEmbed

Embed = Annotated[
    PatchEmbed | ConvStem | Downsample | LearnedEmbed | CopyEmbed, Field(discriminator="type")
]
"""Union of all embeddings."""

__all__ = ["ConvStem", "CopyEmbed", "Downsample", "Embed", "LearnedEmbed", "PatchEmbed"]
