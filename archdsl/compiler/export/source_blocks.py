"""Blocks and embeddings as classes of an exported source file; see `source_heads`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from archdsl.compiler.export.source_heads import Arguments, Maker, layer_norm, made, typed
from archdsl.compiler.export.source_text import Call, Classes, call, class_text, lines
from archdsl.nn.blocks import BLOCK_EPS, MLP_EPS
from archdsl.nn.embeds.conv_stem import ConvStem

_SAME = "(batch, tokens, dim) -> the same."


def _transformer_block(classes: Classes, a: Arguments) -> Call:
    scale = a.get("layer_scale")
    attention = classes.name("Attention", _attention())
    mlp = classes.name("Mlp", _mlp())
    scaled = classes.name("LayerScale", _layer_scale()) if scale else ""
    words = "dim num_heads mlp_dim"
    first, second = "self.attn(self.norm1(tokens))", "self.mlp(self.norm2(tokens))"
    text = class_text(
        "Attention, then an MLP, each with its residual.",
        arguments=typed(words),
        init=lines(
            f"self.norm1 = {layer_norm('dim', BLOCK_EPS)}",
            f"self.attn = {attention}(dim=dim, num_heads=num_heads)",
            bool(scale) and f"self.ls1 = {scaled}(dim=dim)",
            f"self.norm2 = {layer_norm('dim', BLOCK_EPS)}",
            f"self.mlp = {mlp}(dim=dim, mlp_dim=mlp_dim)",
            bool(scale) and f"self.ls2 = {scaled}(dim=dim)",
        ),
        takes="tokens: Tensor",
        shapes=_SAME,
        forward=lines(
            f"tokens = tokens + {f'self.ls1({first})' if scale else first}",
            f"return tokens + {f'self.ls2({second})' if scale else second}",
        ),
    )
    return made(classes.name("Block", text), a, words)


def _attention() -> str:
    return class_text(
        "Self-attention, head by head.",
        arguments="dim: int, num_heads: int",
        init=lines(
            "self.num_heads = num_heads",
            "self.qkv = nn.Linear(dim, 3 * dim)",
            "self.proj = nn.Linear(dim, dim)",
        ),
        takes="tokens: Tensor",
        shapes=_SAME,
        forward=lines(
            "batch, count, dim = tokens.shape",
            "heads = (self.num_heads, dim // self.num_heads)",
            "qkv = self.qkv(tokens).reshape(batch, count, 3, *heads).permute(2, 0, 3, 1, 4)",
            "q, k, v = qkv.unbind(0)  # (batch, heads, tokens, dim/heads) each",
            "read = functional.scaled_dot_product_attention(q, k, v)",
            "return self.proj(read.transpose(1, 2).reshape(batch, count, dim))",
        ),
    )


def _mlp() -> str:
    return class_text(
        "W2 GELU(W1 tokens).",
        arguments="dim: int, mlp_dim: int",
        init=lines(
            "self.fc1 = nn.Linear(dim, mlp_dim)",
            "self.act = nn.GELU()",
            "self.fc2 = nn.Linear(mlp_dim, dim)",
        ),
        takes="tokens: Tensor",
        shapes=_SAME,
        forward=lines("return self.fc2(self.act(self.fc1(tokens)))"),
    )


def _layer_scale() -> str:
    return class_text(
        "A factor for each channel.",
        arguments="dim: int",
        init=lines("self.gamma = nn.Parameter(torch.ones(dim))"),
        takes="tokens: Tensor",
        shapes=_SAME,
        forward=lines("return tokens * self.gamma"),
    )


def _mlp_block(classes: Classes, a: Arguments) -> Call:
    norm = a.get("norm", True)
    text = class_text(
        "tokens + W2 GELU(W1 tokens)" + (", normalised first." if norm else "."),
        arguments="dim: int, mlp_dim: int",
        init=lines(
            norm and f"self.norm = {layer_norm('dim', MLP_EPS)}",
            "self.fc1 = nn.Linear(dim, mlp_dim)",
            "self.act = nn.GELU()",
            "self.fc2 = nn.Linear(mlp_dim, dim)",
        ),
        takes="tokens: Tensor",
        shapes=_SAME,
        forward=lines(
            f"hidden = self.act(self.fc1({'self.norm(tokens)' if norm else 'tokens'}))",
            "return tokens + self.fc2(hidden)",
        ),
    )
    return made(classes.name("MlpBlock", text), a, "dim mlp_dim")


BLOCKS: Mapping[str, Maker] = {"transformer": _transformer_block, "mlp": _mlp_block}


def _conv_stem(classes: Classes, a: Arguments) -> Call:
    text = class_text(
        "Convolutions; the last makes the tokens.",
        arguments="proj: nn.Sequential",
        init=lines("self.proj = proj"),
        takes="images: Tensor",
        shapes="(batch, channels, height, width) -> (batch, rows * columns, dim).",
        forward=lines("return self.proj(images).flatten(2).transpose(1, 2)"),
    )
    inside = [_convolution(each) for each in ConvStem(**a).proj]
    return call(classes.name("ConvStem", text), proj=call("nn.Sequential", *inside))


def _convolution(layer: nn.Module) -> str:
    if not isinstance(layer, nn.Conv2d):
        return "nn.ReLU()"
    ((kernel, _), (stride, _)), padding = (layer.kernel_size, layer.stride), layer.padding[0]
    padded = f", padding={padding}" if padding else ""
    channels = f"{layer.in_channels}, {layer.out_channels}"
    return f"nn.Conv2d({channels}, kernel_size={kernel}, stride={stride}{padded})"


def _downsample(classes: Classes, a: Arguments) -> Call:
    same = a["source_dim"] == a["dim"]
    tokens = "pixels.flatten(2).transpose(1, 2)"
    text = class_text(
        f"The other stream's patches on a smaller grid, by {a['method']} "
        + ("pooling." if a["method"] == "average" else "interpolation."),
        arguments="source_grid: tuple[int, int], grid: tuple[int, int]"
        + ("" if same else ", source_dim: int, dim: int"),
        init=lines(
            "self.source_grid, self.grid = source_grid, grid",
            not same and "self.proj = nn.Linear(source_dim, dim)",
        ),
        takes="source: Tensor",
        shapes="(batch, source rows * columns, source_dim) -> (batch, rows * columns, dim).",
        forward=lines(
            "pixels = source.transpose(1, 2).reshape(-1, source.shape[-1], *self.source_grid)",
            "pixels = functional.adaptive_avg_pool2d(pixels, self.grid)"
            if a["method"] == "average"
            else "pixels = functional.interpolate("
            'pixels, self.grid, mode="bilinear", align_corners=False)',
            f"return {tokens}" if same else f"return self.proj({tokens})",
        ),
    )
    grids = {
        "source_grid": (a["source_rows"], a["source_columns"]),
        "grid": (a["rows"], a["columns"]),
    }
    dims = {} if same else {"source_dim": a["source_dim"], "dim": a["dim"]}
    return call(classes.name("Downsample", text), **grids, **dims)


def _learned(classes: Classes, a: Arguments) -> Call:
    return call("Parts", table=parameter(a["num_tokens"], a["dim"]))


def parameter(tokens: int, dim: int) -> str:
    """A table of tokens."""
    return f"nn.Parameter(torch.zeros(1, {tokens}, {dim}))"


EMBEDS: Mapping[str, Maker] = {
    "conv_stem": _conv_stem,
    "downsample": _downsample,
    "learned": _learned,
}
