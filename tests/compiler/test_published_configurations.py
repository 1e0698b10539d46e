"""Published ViTTM models of many configurations, against a second implementation of them.

`reference` computes what published models compute from a state dict under published names, in plain
torch functions; it is itself held against the outputs in `assets/`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import archdsl
from archdsl.document.tree import tree_of
from archdsl.plan.read import Checked, check_model

ASSETS = sorted((Path(__file__).parent / "assets").glob("*.npz"))
HEADS = {
    "lin": "linear_attention",
    "ca": "cross_attention",
    "lca": "latent_attention",
    "tl": "token_summary",
}
State = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Config:
    """A published ViTTM; sides in pixels."""

    head: str = "lin"
    scale: int = 4
    fusion: str = "add"
    process: int = 8
    memory: int = 4
    image: tuple[int, int] = (32, 32)
    depth: int = 2
    dim: int = 24
    heads: int = 3
    mlp_ratio: float = 4.0
    memory_ratio: float = 0.0
    layer_scale: bool = False
    classes: int = 5

    def grid(self, stream: str) -> tuple[int, int]:
        side = self.process if stream == "process" else self.memory
        return self.image[0] // side, self.image[1] // side

    def tokens(self, stream: str) -> int:
        rows, columns = self.grid(stream)
        return rows * columns


def norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    return functional.layer_norm(
        x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps
    )


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def heads_apart(x: Tensor, heads: int) -> Tensor:
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


def heads_together(x: Tensor) -> Tensor:
    return torch.cat(x.unbind(dim=1), dim=-1)


def read(state: State, name: str, config: Config, target: Tensor, source: Tensor) -> Tensor:
    if config.head == "tl":
        every = torch.cat([source, target], dim=1)
        hidden = linear(state, f"{name}.mlp.fc1", norm(state, f"{name}.norm", every, 1e-5))
        scores = linear(state, f"{name}.mlp.fc2", functional.gelu(hidden))
        return torch.einsum("bnt,bnd->btd", scores.softmax(dim=1), every)
    q, k, v = (
        linear(state, f"{name}.{x}", y)
        for x, y in zip("qkv", (target, source, source), strict=True)
    )
    if config.head != "lin":
        q, k, v = (
            norm(state, f"{name}.{x}_norm", y, 1e-5) for x, y in zip("qkv", (q, k, v), strict=True)
        )
    q, k, v = (heads_apart(x, config.heads) for x in (q, k, v))
    if config.head == "ca":
        scores = torch.einsum("bhtc,bhsc->bhts", q, k) / (config.dim // config.heads) ** 0.5
        joined = heads_together(torch.einsum("bhts,bhsd->bhtd", scores.softmax(dim=-1), v))
        return linear(state, f"{name}.proj", joined)
    if config.head == "lca":
        weights = torch.einsum("bhtc,bhsc->bhts", q.softmax(dim=-1), k.softmax(dim=-2))
        joined = heads_together(torch.einsum("bhts,bhsd->bhtd", weights, v))
        return linear(state, f"{name}.proj", joined)
    scores = torch.einsum("bhtc,bhsc->bhts", 1 + functional.elu(q), 1 + functional.elu(k))
    weights = scores / (scores.sum(dim=-1, keepdim=True) + 1e-6)
    return heads_together(torch.einsum("bhts,bhsd->bhtd", weights, v))


def fuse(state: State, name: str, config: Config, target: Tensor, found: Tensor) -> Tensor:
    if config.fusion == "erase":
        return found
    if config.fusion == "add":
        return target + found
    gate = linear(state, f"{name}.linear", found.mean(dim=1)).sigmoid()[..., None]
    return (1 - gate) * target + gate * found


def block(state: State, name: str, config: Config, x: Tensor) -> Tensor:
    def scaled(number: int, change: Tensor) -> Tensor:
        gamma = state.get(f"{name}.ls{number}.gamma")
        return change if gamma is None else gamma * change

    normed = norm(state, f"{name}.norm1", x, 1e-6)
    qkv = linear(state, f"{name}.attn.qkv", normed).chunk(3, dim=-1)
    q, k, v = (heads_apart(each, config.heads) for each in qkv)
    scores = torch.einsum("bhtc,bhsc->bhts", q, k) / (config.dim // config.heads) ** 0.5
    joined = heads_together(torch.einsum("bhts,bhsd->bhtd", scores.softmax(dim=-1), v))
    x = x + scaled(1, linear(state, f"{name}.attn.proj", joined))
    hidden = linear(state, f"{name}.mlp.fc1", norm(state, f"{name}.norm2", x, 1e-6))
    return x + scaled(2, linear(state, f"{name}.mlp.fc2", functional.gelu(hidden)))


def embedded(state: State, stream: str, config: Config, images: Tensor) -> Tensor:
    name = f"{stream}_embedder"
    if f"{name}.proj.weight" not in state:
        name = "patch_embed"
    kernel = state[f"{name}.proj.weight"]
    tokens = functional.conv2d(images, kernel, state[f"{name}.proj.bias"], stride=kernel.shape[-1])
    table, grid = state[f"{stream}_pos_embed"], config.grid(stream)
    if table.shape[1] != grid[0] * grid[1]:
        side = round(table.shape[1] ** 0.5)
        square = table.float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
        resized = functional.interpolate(square, grid, mode="bicubic", antialias=True)
        table = resized.flatten(2).transpose(1, 2).to(table.dtype)
    return tokens.flatten(2).transpose(1, 2) + table


def reference(state: State, config: Config, images: Tensor) -> dict[str, Tensor]:
    """The logits of both streams' classifiers."""
    memory, process = (embedded(state, name, config, images) for name in ("memory", "process"))
    for n in range(config.depth):
        memory, process = (norm(state, f"read_norm.{n}", x, 1e-6) for x in (memory, process))
        found = read(state, f"read_head.{n}", config, process, memory)
        process = fuse(state, "read_fusion", config, process, found)
        process = block(state, f"blocks.{n}", config, process)
        memory, process = (norm(state, f"write_norm.{n}", x, 1e-6) for x in (memory, process))
        found = read(state, f"write_head.{n}", config, memory, process)
        memory = fuse(state, "write_fusion", config, memory, found)
        if config.memory_ratio:
            name = f"mem_blocks.{n}"
            hidden = linear(state, f"{name}.mlp.fc1", norm(state, f"{name}.norm", memory, 1e-5))
            memory = memory + linear(state, f"{name}.mlp.fc2", functional.gelu(hidden))
    pooled = norm(state, "process_norm", process, 1e-6).mean(dim=1)
    return {
        "memory": linear(state, "head", norm(state, "fc_norm", memory.mean(dim=1), 1e-6)),
        "process": linear(state, "process_head", norm(state, "fc_norm_process", pooled, 1e-6)),
    }


def new(state: State, name: str, *shape: int, around: float = 0.0, std: float = 0.3) -> None:
    state[name] = around + std * torch.randn(*shape, dtype=torch.float64)


def new_norm(state: State, name: str, width: int) -> None:
    new(state, f"{name}.weight", width, around=1.0)
    new(state, f"{name}.bias", width)


def new_linear(state: State, name: str, inputs: int, outputs: int) -> None:
    new(state, f"{name}.weight", outputs, inputs)
    new(state, f"{name}.bias", outputs)


def new_block(state: State, name: str, config: Config) -> None:
    dim, hidden = config.dim, int(config.dim * config.mlp_ratio)
    for number in (1, 2):
        new_norm(state, f"{name}.norm{number}", dim)
        if config.layer_scale:
            new(state, f"{name}.ls{number}.gamma", dim, around=0.5)
    for part, sizes in {
        "attn.qkv": (dim, 3 * dim),
        "attn.proj": (dim, dim),
        "mlp.fc1": (dim, hidden),
        "mlp.fc2": (hidden, dim),
    }.items():
        new_linear(state, f"{name}.{part}", *sizes)


def new_head(state: State, name: str, config: Config, tokens: int) -> None:
    if config.head == "tl":
        new_norm(state, f"{name}.norm", config.dim)
        new_linear(state, f"{name}.mlp.fc1", config.dim, tokens)
        new_linear(state, f"{name}.mlp.fc2", tokens, tokens)
        return
    latent = config.dim if config.head == "ca" else config.dim // config.scale
    for part, width in (("q", latent), ("k", latent), ("v", config.dim), ("proj", config.dim)):
        new_linear(state, f"{name}.{part}", config.dim, width)
        if config.head != "lin" and part != "proj":
            new_norm(state, f"{name}.{part}_norm", width)


def drawn(config: Config) -> State:
    """A whole published checkpoint, dead tensors included, in float64."""
    torch.manual_seed(0)
    dim, state = config.dim, State()
    new(state, "cls_token", 1, 1, dim)
    new(state, "pos_embed", 1, 1 + (config.image[0] // 16) * (config.image[1] // 16), dim)
    sides = {"patch_embed": 16, "process_embedder": config.process}
    if config.memory != 16:
        sides["memory_embedder"] = config.memory
    for name, side in sides.items():
        new(state, f"{name}.proj.weight", dim, 3, side, side, std=1 / side)
        new(state, f"{name}.proj.bias", dim)
    tokens = {"read": config.tokens("process"), "write": config.tokens("memory")}
    new(state, "process_pos_embed", 1, tokens["read"], dim)
    new(state, "memory_pos_embed", 1, tokens["write"], dim)
    for n in range(config.depth):
        new_block(state, f"blocks.{n}", config)
        for word, count in tokens.items():
            new_norm(state, f"{word}_norm.{n}", dim)
            new_head(state, f"{word}_head.{n}", config, count)
        if config.memory_ratio:
            hidden = int(config.memory_ratio * dim)
            new_norm(state, f"mem_blocks.{n}.norm", dim)
            new_linear(state, f"mem_blocks.{n}.mlp.fc1", dim, hidden)
            new_linear(state, f"mem_blocks.{n}.mlp.fc2", hidden, dim)
    for word, count in tokens.items() if config.fusion == "add_erase" else ():
        new_linear(state, f"{word}_fusion.linear", dim, count)
    for name in ("fc_norm", "process_norm", "fc_norm_process"):
        new_norm(state, name, dim)
    for name in ("head", "process_head"):
        new_linear(state, name, dim, config.classes)
    return state


def checked(config: Config, *, published_layout: bool) -> Checked:
    head: dict[str, Any] = {"type": HEADS[config.head], "fusion": config.fusion}
    if config.head in ("lin", "lca"):
        head["latent_ratio"] = 1 / config.scale
    block = {"type": "transformer", "num_heads": config.heads, "mlp_ratio": config.mlp_ratio}
    if config.layer_scale:
        block["layer_scale"] = 1e-6
    process = {"embed": {"type": "patch", "patch_size": config.process}, "dim": config.dim}
    memory: dict[str, Any] = {"embed": {"type": "patch", "patch_size": config.memory}}
    if config.memory_ratio:
        memory["block"] = {"type": "mlp", "mlp_ratio": config.memory_ratio}
    document = {
        "archdsl": 1,
        "name": "published",
        "image": {"size": list(config.image)},
        "depth": config.depth,
        "process": {**process, "block": block},
        "memory": memory,
        "exchange": {"read": head, "write": head},
        "output": {"num_classes": config.classes},
        "published_layout": published_layout,
    }
    return check_model(tree_of(document, source="published"))


def compare(
    state: State,
    config: Config,
    tolerance: float,
    *,
    published_layout: bool,
    own_oblong: bool = False,
) -> None:
    model = archdsl.compile(checked(config, published_layout=published_layout).spec).double()
    # What was published does not say the grids of its position tables; ours are square otherwise.
    grids = {name: stream.grid for name, stream in model.plan.streams.items()}
    archdsl.load_weights(model, state, grid=grids if own_oblong else None)
    images = torch.randn(2, 3, *config.image, dtype=torch.float64)
    with torch.no_grad():
        found, expected = model.eval().forward_heads(images), reference(state, config, images)
    assert list(found) == list(expected)
    for name, logits in expected.items():
        # Images are told apart, so agreement is not that of constants.
        assert (logits[0] - logits[1]).abs().max() > 1e-3
        torch.testing.assert_close(found[name], logits, rtol=0, atol=tolerance)


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
def test_the_reference_gives_the_published_outputs(path: Path) -> None:
    with np.load(path) as file:
        tensors = {name: file[name] for name in file.files}
    made = json.loads(str(tensors.pop("config")))
    config = Config(
        head=made["head"],
        scale=made["scale"],
        fusion=made["fusion"],
        process=made["process_ps"],
        memory=made["memory_ps"],
        image=(made["img"], made["img"]),
        depth=made["depth"],
        dim=made["embed_dim"],
        heads=made["num_heads"],
        memory_ratio=made["mem_ratio"] if made["memblock"] == "mlp" else 0.0,
    )
    state = {
        name.removeprefix("state/"): torch.from_numpy(value).double()
        for name, value in tensors.items()
        if name.startswith("state/")
    }
    logits = reference(state, config, torch.from_numpy(tensors["input"]).double())
    for name, found in logits.items():
        expected = torch.from_numpy(tensors[f"out/{name}_logits"])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


CONFIGS = {
    "one layer": Config(depth=1),
    "five layers": Config(depth=5, scale=1),
    "one head": Config(heads=1, scale=2),
    "six heads, wide": Config(heads=6, dim=48, mlp_ratio=2.5),
    "swapped patches": Config(process=4, memory=8),
    "swapped patches, cross": Config(process=4, memory=8, head="ca", fusion="add_erase"),
    "equal patches": Config(process=8, memory=8, head="lca", scale=1),
    "equal patches, summary": Config(process=8, memory=8, head="tl", fusion="add_erase"),
    "inherited embedding": Config(memory=16, process=8),
    "inherited embedding, equal": Config(memory=16, process=16, head="ca"),
    "process patch of 16": Config(memory=8, process=16, head="tl"),
    "oblong image": Config(image=(48, 32), head="lca", scale=2),
    "layer scale": Config(layer_scale=True),
    "layer scale, memory MLP": Config(layer_scale=True, memory_ratio=2.0, head="ca", scale=1),
    "memory MLP, erase": Config(memory_ratio=0.25, head="lca", fusion="erase", depth=1),
    "erase": Config(head="ca", fusion="erase", depth=1, scale=1),
    "summary, erase": Config(head="tl", fusion="erase", depth=1, image=(16, 16)),
    "latent, gated": Config(head="lca", fusion="add_erase", heads=2, dim=32),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("published_layout", [True, False])
def test_other_configurations(name: str, published_layout: bool) -> None:
    config = CONFIGS[name]
    compare(
        drawn(config),
        config,
        1e-10,
        published_layout=published_layout,
        own_oblong=config.image[0] != config.image[1],
    )


@pytest.mark.parametrize("image", [(48, 48), (16, 16), (64, 32)])
@pytest.mark.parametrize(
    "config",
    [
        Config(head="lin"),
        Config(head="ca", process=4, memory=8),
        Config(head="lca", memory=16, process=8),
    ],
    ids=["lin", "ca", "inherited"],
)
def test_position_tables_of_another_image_size(config: Config, image: tuple[int, int]) -> None:
    compare(drawn(config), replace(config, image=image), 1e-6, published_layout=True)
