"""Exchanges of normalised streams, and the order of a layer's words."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archdsl.nn.fusion import AddFusion
from archdsl.nn.layer import Blocks, Exchange, Layer, stream_norm


class _Mean(nn.Module):
    """A head whose result is easy to foretell."""

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        return target * 0 + source.mean(dim=(1, 2), keepdim=True)


def exchange(*, replace: bool, norms: dict[str, int]) -> Exchange:
    """An exchange whose norms (by name, with their widths) are drawn at random."""
    made = Exchange(
        target="process",
        source="memory",
        norms={name: stream_norm(dim) for name, dim in norms.items()},
        replace=replace,
        head=_Mean(),
        fusion=AddFusion(),
    )
    for norm in made.norms.values():
        nn.init.normal_(norm.get_parameter("weight"))
        nn.init.normal_(norm.get_parameter("bias"))
    return made


def test_replace_makes_the_normalised_values_the_streams() -> None:
    streams = {"process": torch.randn(2, 3, 6), "memory": torch.randn(2, 5, 6)}
    made = exchange(replace=True, norms={"both": 6})
    after = made(streams)
    process, memory = made.norms["both"](streams["process"]), made.norms["both"](streams["memory"])
    torch.testing.assert_close(after["memory"], memory)
    torch.testing.assert_close(after["process"], process + memory.mean(dim=(1, 2), keepdim=True))


def test_pre_leaves_the_streams_as_they_were() -> None:
    streams = {"process": torch.randn(2, 3, 6), "memory": torch.randn(2, 5, 4)}
    made = exchange(replace=False, norms={"process": 6, "memory": 4})
    after = made(streams)
    memory = made.norms["memory"](streams["memory"])
    assert after["memory"] is streams["memory"]
    torch.testing.assert_close(
        after["process"], streams["process"] + memory.mean(dim=(1, 2), keepdim=True)
    )


def test_a_layer_runs_its_words_in_order() -> None:
    class Times(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, tokens: Tensor) -> Tensor:
            return tokens * self.factor + self.factor

    first = Blocks(stream="process", blocks=[Times(2), Times(3)])
    layer = Layer({"process": first, "memory": Blocks(stream="memory", blocks=[Times(5)])})
    streams = {"process": torch.ones(1, 1, 1), "memory": torch.ones(1, 1, 1)}
    after = layer(streams)
    assert (after["process"].item(), after["memory"].item()) == (15, 10)
    assert streams["process"].item() == 1
    assert [name for name, _ in layer.named_children()] == ["process", "memory"]
