"""Exchanges of some tokens only, exchanges along a map, and words that run together."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from archdsl.nn.fusion import AddFusion, EraseFusion
from archdsl.nn.heads.cross_attention import CrossAttention
from archdsl.nn.heads.tied_attention import TiedAttention
from archdsl.nn.layer import (
    MAP,
    Blocks,
    Borrowed,
    Exchange,
    Layer,
    MappedExchange,
    TiedExchange,
    stream_norm,
)
from tests.fixtures.references import drawn

DIM = 6


def streams() -> dict[str, Tensor]:
    return {
        "process": torch.randn(2, 3, DIM, dtype=torch.float64),
        "memory": torch.randn(2, 5, DIM, dtype=torch.float64),
    }


def attention() -> CrossAttention:
    return CrossAttention(target_dim=DIM, source_dim=DIM, num_heads=2)


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("fusion", [AddFusion, EraseFusion])
def test_only_the_tokens_that_ask_change(replace: bool, fusion: type[nn.Module]) -> None:
    made = drawn(
        Exchange(
            target="process",
            source="memory",
            norms={"both": stream_norm(DIM)},
            replace=replace,
            head=attention(),
            fusion=fusion(),
            queries=1,
            skipped=2,
        )
    )
    before = streams()
    after = made(before)
    process, memory = (made.norms["both"](before[name]) for name in ("process", "memory"))
    start = process if replace else before["process"]
    read = made.head(process[:, :1], memory[:, 2:])
    expected = start[:, :1] + read if fusion is AddFusion else read
    assert torch.equal(after["process"][:, :1], expected)
    # The others stay, but for the norm that replaces the whole stream, skipped tokens included.
    assert torch.equal(after["process"][:, 1:], start[:, 1:])
    assert torch.equal(after["memory"], memory if replace else before["memory"])


def test_a_stream_without_a_norm_is_seen_as_it_is() -> None:
    made = drawn(
        Exchange(
            target="process",
            source="memory",
            norms={"memory": stream_norm(DIM)},
            replace=False,
            head=attention(),
            fusion=AddFusion(),
        )
    )
    before = streams()
    memory = made.norms["memory"](before["memory"])
    expected = before["process"] + made.head(before["process"], memory)
    assert torch.equal(made(before)["process"], expected)


def tied_layer(values: str) -> Layer:
    read = MappedExchange(
        target="process",
        source="memory",
        norms={},
        replace=False,
        head=attention(),
        fusion=AddFusion(),
    )
    write = TiedExchange(
        values=Borrowed("read.head.v") if values == "tied" else None,
        target="memory",
        source="process",
        norms={},
        replace=False,
        head=TiedAttention(
            target_dim=DIM, source_dim=DIM, num_heads=2, tied_values=values == "tied"
        ),
        fusion=AddFusion(),
    )
    layer = drawn(Layer({"read": read, "write": write}))
    if isinstance(write.values, Borrowed):
        write.values.look_in(layer, "write.values")
    return layer


@pytest.mark.parametrize("values", ["own", "tied"])
def test_a_write_goes_back_along_the_map_of_its_layers_read(values: str) -> None:
    layer = tied_layer(values)
    read, write = layer["read"], layer["write"]
    assert isinstance(read, Exchange)
    assert isinstance(write, Exchange)
    before = streams()
    after = layer(before)
    assert list(after) == ["process", "memory"]  # the map stays inside
    taken, shares = read.head(before["process"], before["memory"], need_map=True)
    process = before["process"] + taken
    source = read.head.get_submodule("v")(process) if values == "tied" else process
    memory = before["memory"] + write.head(shares, source)
    torch.testing.assert_close(after["process"], process, rtol=0, atol=1e-12)
    torch.testing.assert_close(after["memory"], memory, rtol=0, atol=1e-12)


def test_tied_values_are_stored_with_the_read_alone() -> None:
    layer = tied_layer("tied")
    names = [name for name, _ in layer.named_parameters()]
    assert all(name.startswith("read.head.") for name in names)
    twin = copy.deepcopy(layer)
    read, write = twin["read"], twin["write"]
    assert isinstance(read, Exchange)
    assert isinstance(write, TiedExchange)
    assert isinstance(write.values, Borrowed)
    assert write.values.owned is read.head.v
    assert write.values.owned is not tied_layer("tied").get_submodule("read.head.v")


class Step(nn.Module):
    """All streams -> all streams; one becomes a sum of both."""

    def __init__(self, stream: str, *, mine: float, other: float, leaves: str = "") -> None:
        super().__init__()
        self.stream, self.mine, self.other, self.leaves = stream, mine, other, leaves

    def forward(self, streams: dict[str, Tensor]) -> dict[str, Tensor]:
        other = {"process": "memory", "memory": "process"}[self.stream]
        changed = self.mine * streams[self.stream] + self.other * streams[other]
        left = {self.leaves: changed * 100} if self.leaves else {}
        # The other stream is changed too: a word of a group may not pass that on.
        return {**streams, other: streams[other] + 1000, self.stream: changed, **left}


def test_words_of_a_group_see_one_state() -> None:
    words = {
        "read": Step("process", mine=1, other=2),
        "write": Step("memory", mine=3, other=5),
    }
    before = {"process": torch.tensor(7.0), "memory": torch.tensor(11.0)}
    together = Layer(words, [{"read": "process", "write": "memory"}])(before)
    assert {name: each.item() for name, each in together.items()} == {
        "process": 7 + 2 * 11,
        "memory": 3 * 11 + 5 * 7,
    }
    process = 7 + 2 * 11  # one after the other, each sees all that the one before it has changed
    one_by_one = Layer(words)(before)
    assert {name: each.item() for name, each in one_by_one.items()} == {
        "process": process + 1000,
        "memory": 3 * (11 + 1000) + 5 * process,
    }
    assert (before["process"].item(), before["memory"].item()) == (7, 11)


def test_groups_and_single_words_in_their_order() -> None:
    words = {
        "process": Step("process", mine=2, other=0),
        "memory": Step("memory", mine=3, other=0),
        "read": Step("process", mine=1, other=1),
        "write": Step("memory", mine=1, other=1),
    }
    groups = [{"process": "process", "memory": "memory"}, {"read": "process", "write": "memory"}]
    before = {"process": torch.tensor(1.0), "memory": torch.tensor(1.0)}
    after = Layer(words, groups)(before)
    assert (after["process"].item(), after["memory"].item()) == (2 + 3, 3 + 2)
    after = Layer(words, groups[:1])(before)
    process = 2 + 3
    assert (after["process"].item(), after["memory"].item()) == (process + 1000, 1003 + process)


def test_a_map_passes_out_of_its_group() -> None:
    class Takes(nn.Module):
        def forward(self, streams: dict[str, Tensor]) -> dict[str, Tensor]:
            return {**streams, "memory": streams[MAP]}

    words = {
        "read": Step("process", mine=1, other=1, leaves=MAP),
        "memory": Step("memory", mine=1, other=0),
        "write": Takes(),
    }
    layer = Layer(words, [{"read": "process", "memory": "memory"}])
    after = layer({"process": torch.tensor(1.0), "memory": torch.tensor(2.0)})
    assert {name: each.item() for name, each in after.items()} == {"process": 3, "memory": 300}


def test_a_borrowed_module_is_listed_where_it_belongs() -> None:
    owned = drawn(nn.Linear(DIM, DIM))
    shared = nn.ModuleDict({"owned": owned})
    borrowed = Borrowed("shared.owned")
    assert not list(borrowed.parameters())
    assert not borrowed.state_dict()
    tokens = torch.randn(2, DIM, dtype=torch.float64)
    network = nn.ModuleDict(
        {"shared": shared, "blocks": Blocks(stream="process", blocks=[borrowed])}
    )
    borrowed.look_in(network, "blocks.blocks.0")
    assert torch.equal(borrowed(tokens), owned(tokens))
    twin = copy.deepcopy(network)
    with torch.no_grad():
        twin.get_parameter("shared.owned.bias").add_(1)
    before, after = (
        each.get_submodule("blocks")({"process": tokens})["process"] for each in (network, twin)
    )
    torch.testing.assert_close(after, before + 1)
