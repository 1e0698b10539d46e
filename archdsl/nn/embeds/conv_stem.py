"""Convolutional stem, as in CrossViT's "†" models."""

from __future__ import annotations

from torch import Tensor, nn

from archdsl.spec.embeds.conv_stem import stem_widths


class ConvStem(nn.Module):
    """Convolutions with ReLU between them; the last makes the tokens.

    Args:
        channels: of the image.
        strides: of the convolutions, in order.
        kernels: sides of their kernels in pixels; one as large as its stride is not padded.
        dim: width of the tokens; earlier convolutions have d/2, d/4, … channels.
    """

    def __init__(
        self, *, channels: int, strides: tuple[int, ...], kernels: tuple[int, ...], dim: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = stem_widths(channels, dim, len(strides))
        for (inputs, outputs), stride, kernel in zip(widths, strides, kernels, strict=True):
            padding = 0 if kernel == stride else kernel // 2
            layers += [
                nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding),
                nn.ReLU(),
            ]
        self.proj = nn.Sequential(*layers[:-1])

    def forward(self, images: Tensor) -> Tensor:
        """images: (batch, channels, height, width) -> tokens: (batch, rows * columns, dim)."""
        features: Tensor = self.proj(images)
        return features.flatten(2).transpose(1, 2)
