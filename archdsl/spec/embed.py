"""How a stream's first tokens are made."""

from __future__ import annotations

from typing import Literal

from archdsl.spec.base import Node
from archdsl.spec.cost import Cost, product
from archdsl.spec.rules import Rules
from archdsl.spec.values import Pair


class PatchEmbed(Node):
    """Each patch of the image becomes one token by one linear map (ViT, section 3.1)."""

    type: Literal["patch"]
    patch_size: Pair
    """Side of a patch in pixels, or [height, width]; must divide the image."""

    def grid(self, image: tuple[int, int], rules: Rules) -> tuple[int, int] | None:
        """Rows and columns of tokens for an image (height, width)."""
        for side, patch, axis in zip(image, self.patch_size, ("height", "width"), strict=True):
            if side % patch:
                divisors = [n for n in range(1, min(side, 4096) + 1) if side % n == 0]
                close = sorted(divisors, key=lambda n: abs(n - patch))[:4]
                rules.refuse(
                    f"{patch} does not divide the image's {axis} {side}; "
                    f"for example {', '.join(map(str, sorted(close)))} do",
                    "patch_size",
                )
                return None
        return image[0] // self.patch_size[0], image[1] // self.patch_size[1]

    def arguments(self, *, channels: int, dim: int) -> dict[str, int]:
        """Keyword arguments of the module."""
        height, width = self.patch_size
        return {"channels": channels, "patch_height": height, "patch_width": width, "dim": dim}

    @staticmethod
    def cost(*, tokens: int, channels: int, patch_height: int, patch_width: int, dim: int) -> Cost:
        """Cost of embedding `tokens` patches."""
        inputs = channels * patch_height * patch_width
        return product(tokens * inputs * dim) + Cost(params=(inputs + 1) * dim)


Embed = PatchEmbed
"""Union of all embeddings."""
