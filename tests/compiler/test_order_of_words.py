"""The order of a layer's words in compiled documents, and words that run from the same state."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.compiler.build import build
from archdsl.document.merge import merge
from archdsl.document.tree import tree_of
from archdsl.nn.network import Network
from archdsl.plan.cost import cost
from archdsl.plan.read import check_model, read_model

Document = dict[str, Any]
Streams = dict[str, Tensor]

SMALL: Document = {
    "archdsl": 1,
    "name": "small",
    "image": {"size": 16, "channels": 2},
    "depth": 2,
    "process": {
        "embed": {"type": "patch", "patch_size": 8},
        "dim": 12,
        "block": {"type": "transformer", "num_heads": 3},
    },
    "memory": {
        "embed": {"type": "patch", "patch_size": 4},
        "block": {"type": "mlp", "mlp_ratio": 2},
    },
    "exchange": {
        "norm": {"placement": "pre"},
        "read": {"type": "cross_attention"},
        "write": {"type": "linear_attention"},
    },
    "output": {"num_classes": 5},
}


def drawn(model: Network) -> Network:
    """All weights drawn at random, in double precision."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.double().eval()


def compiled(*patches: Document) -> Network:
    """The small document with patches laid over it."""
    document = SMALL
    for patch in patches:
        document = merge(document, patch)
    return drawn(build(check_model(tree_of(document, source="x")).spec))


def ordered(order: Any, *patches: Document) -> Network:
    """The small document in an order; the same weights whatever the order."""
    model = compiled({"exchange": {"order": order}}, *patches)
    usual = compiled(*patches)
    model.load_state_dict({name: usual.state_dict()[name] for name in model.state_dict()})
    return model


def images_of(model: Network) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, *model.plan.image, dtype=torch.float64)


def same(found: Streams, expected: Streams) -> None:
    assert found.keys() == expected.keys()
    for name, tokens in expected.items():
        torch.testing.assert_close(found[name], tokens, rtol=0, atol=1e-10)


def differ(found: Streams, expected: Streams) -> bool:
    return all((found[name] - tokens).abs().max() > 1e-6 for name, tokens in expected.items())


CHANGES = {"read": "process", "process": "process", "write": "memory", "memory": "memory"}


def by_hand(model: Network, order: Any) -> Streams:
    """The streams after the last layer: each word from the state at the start of its group."""
    state: Streams = model.embeds(images_of(model))
    for layer in model.layers:
        for place in order:
            words = [place] if isinstance(place, str) else place
            after = {word: layer.get_submodule(word)(state) for word in words}
            state = state | {CHANGES[word]: after[word][CHANGES[word]] for word in words}
    return state


def final(model: Network) -> Streams:
    """The streams after the last layer, before any classifier's norm."""
    state: Streams = model.embeds(images_of(model))
    for layer in model.layers:
        state = layer(state)
    return state


ORDERS: list[Any] = [
    ["read", "process", "write", "memory"],
    ["memory", "write", "process", "read"],
    ["write", "read"],
    [["process", "memory"], ["read", "write"]],
    [["read", "write"], ["process", "memory"]],
    [["read", "write"], ["memory", "process"]],
    [["read", "memory"], ["process", "write"]],
    [["process", "write"], "memory", "read"],
    ["read", ["process", "write"], "memory"],
]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_words_run_in_their_order_and_groups(order: Any) -> None:
    words = [word for place in order for word in ([place] if isinstance(place, str) else place)]
    idle = {name: {"block": None} for name in ("process", "memory") if name not in words}
    heads = {word: {"num_heads": 3} for word in ("read", "write")}
    model = ordered(order, idle, {"exchange": heads})
    assert [name for name, _ in model.layers[0].named_children()] == words
    same(final(model), by_hand(model, order))
    assert model(images_of(model)).shape == (2, 5)


@pytest.mark.slow
def test_orders_that_differ_compute_something_else() -> None:
    models = [ordered(order) for order in ORDERS if sum(map(len_of, order)) == 4]
    assert len({model.plan.arch_id for model in models}) == len(models)
    ends = [final(model) for model in models]
    pairs = list(itertools.combinations(range(len(models)), 2))
    # Only the order inside a group is no matter.
    equal = [
        (a, b) for a, b in pairs if all(torch.allclose(ends[a][n], ends[b][n]) for n in ends[a])
    ]
    groups = [
        [["read", "write"], ["process", "memory"]],
        [["read", "write"], ["memory", "process"]],
    ]
    whole = [order for order in ORDERS if sum(map(len_of, order)) == 4]
    assert equal == [tuple(whole.index(order) for order in groups)]


def len_of(place: Any) -> int:
    return 1 if isinstance(place, str) else len(place)


def test_a_group_costs_what_its_words_cost() -> None:
    one_by_one = ordered(["process", "memory", "read", "write"]).plan
    together = ordered([["process", "memory"], ["read", "write"]]).plan
    assert cost(together) == cost(one_by_one)
    assert together.arch_id != one_by_one.arch_id


def test_a_group_of_one_word_is_that_word() -> None:
    # The memory block is missing in every layer, so nothing runs beside the other.
    patch: Document = {"memory": {"block": None}}
    group = compiled({"exchange": {"order": [["process", "memory"], "read", "write"]}}, patch)
    alone = compiled({"exchange": {"order": ["process", "read", "write"]}}, patch)
    assert group.plan == alone.plan


def test_a_group_may_lack_a_word_in_some_layers() -> None:
    order = [["process", "memory"], ["read", "write"]]
    model = compiled(
        {"exchange": {"order": order}, "layers": [{"at": [0], "exchange": {"write": None}}]}
    )
    assert [[n for n, _ in layer.named_children()] for layer in model.layers] == [
        ["process", "memory", "read"],
        ["process", "memory", "read", "write"],
    ]
    state: Streams = model.embeds(images_of(model))
    first, second = model.layers
    state = {n: first.get_submodule(n)(state)[n] for n in ("process", "memory")}
    state |= {"process": first.get_submodule("read")(state)["process"]}
    state = {n: second.get_submodule(n)(state)[n] for n in ("process", "memory")}
    words = {"process": "read", "memory": "write"}
    state = {n: second.get_submodule(word)(state)[n] for n, word in words.items()}
    same(final(model), state)


def test_an_order_of_single_layers() -> None:
    order = [["process", "memory"], ["read", "write"]]
    layers = [{"at": [1], "exchange": {"order": order}}]
    model = compiled({"layers": layers})
    state: Streams = model.layers[0](model.embeds(images_of(model)))
    layer = model.layers[1]
    for names in (("process", "memory"), ("read", "write")):
        after = {name: layer.get_submodule(name)(state) for name in names}
        state = {CHANGES[name]: after[name][CHANGES[name]] for name in names}
    same(final(model), state)


@pytest.mark.parametrize("group", [["read", "memory"], ["memory", "read"]])
def test_a_tied_write_takes_the_map_of_a_read_in_a_group(group: list[str]) -> None:
    write = {"exchange": {"write": None}}, {"exchange": {"write": {"type": "tied_attention"}}}
    model = ordered([group, ["process", "write"]], *write)
    state: Streams = model.embeds(images_of(model))
    for layer in model.layers:
        read, memory = (layer.get_submodule(name)(state) for name in ("read", "memory"))
        kept = {key: each for key, each in read.items() if key not in state}
        assert len(kept) == 1  # the map
        state = {"process": read["process"], "memory": memory["memory"]}
        process = layer.get_submodule("process")(state)
        written = layer.get_submodule("write")({**state, **kept})
        state = {"process": process["process"], "memory": written["memory"]}
    same(final(model), state)


# CrossViT


def crossvit(*settings: str) -> Network:
    """A small CrossViT: 5 x 5 process patches of the image at 20 x 20, 6 x 6 memory patches."""
    small = [
        "image={size: 24, channels: 2}",
        "depth=2",
        "process.resize=20",
        "process.embed.patch_size=4",
        "process.dim=24",
        "process.block={num_heads: 3, mlp_ratio: 2}",
        "process.blocks=2",
        "memory.embed.patch_size=4",
        "memory.dim=12",
        "memory.block={num_heads: 3, mlp_ratio: 2}",
        "output.num_classes=5",
    ]
    return drawn(build(read_model("crossvit-b", [*small, *settings]).spec))


def linear(model: Network, name: str, tokens: Tensor) -> Tensor:
    weight, bias = (model.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return tokens @ weight.T + bias


def layer_norm(model: Network, name: str, tokens: Tensor) -> Tensor:
    weight, bias = (model.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return functional.layer_norm(tokens, weight.shape, weight, bias, eps=1e-6)


def asked(model: Network, name: str, mine: Tensor, source: Tensor) -> Tensor:
    """A branch after its class token has asked tokens of the other branch, and itself."""
    cls = linear(
        model, f"{name}.there.2", functional.gelu(layer_norm(model, f"{name}.there.0", mine[:, :1]))
    )
    tokens = layer_norm(model, f"{name}.norm", torch.cat([cls, source], dim=1))
    q, k, v = (
        linear(model, f"{name}.head.{each}", seen)
        for each, seen in (("q", tokens[:, :1]), ("k", tokens), ("v", tokens))
    )
    read = []
    for a, b, c in zip(*(each.chunk(3, dim=-1) for each in (q, k, v)), strict=True):
        read.append((a @ b.transpose(1, 2) / a.shape[-1] ** 0.5).softmax(dim=-1) @ c)
    cls = cls + linear(model, f"{name}.head.proj", torch.cat(read, dim=-1))
    back = linear(
        model, f"{name}.back.2", functional.gelu(layer_norm(model, f"{name}.back.0", cls))
    )
    return torch.cat([back, mine[:, 1:]], dim=1)


def stages(model: Network, *, at_once: bool, keys: str = "patches") -> Streams:
    """CrossViT's stages: both branches' blocks, then each asks the other, as it was or as it is."""
    state: Streams = model.embeds(images_of(model))
    process, memory = state["process"], state["memory"]
    for number in range(len(model.layers)):
        name = f"layers.{number}"
        process = model.get_submodule(f"{name}.process.blocks")(process)
        memory = model.get_submodule(f"{name}.memory.blocks")(memory)
        skipped = 1 if keys == "patches" else 0
        after = asked(model, f"{name}.read.head", process, memory[:, skipped:])
        seen = process if at_once else after
        memory = asked(model, f"{name}.write.head", memory, seen[:, skipped:])
        process = after
    return {"process": process, "memory": memory}


def test_crossvit_branches_ask_each_other_at_once() -> None:
    model = crossvit()
    shapes = {name: tuple(each.shape) for name, each in final(model).items()}
    assert shapes == {"process": (2, 26, 24), "memory": (2, 37, 12)}
    expected = stages(model, at_once=True)
    same(final(model), expected)
    logits = {
        name: linear(
            model,
            f"classifiers.{name}.linear",
            layer_norm(model, f"classifiers.{name}.norm", tokens)[:, 0],
        )
        for name, tokens in expected.items()
    }
    same(model.forward_heads(images_of(model)), {n: logits[n] for n in ("memory", "process")})
    found = model(images_of(model))
    mean = (logits["process"] + logits["memory"]) / 2
    torch.testing.assert_close(found, mean, rtol=0, atol=1e-10)


@pytest.mark.parametrize("keys", ["patches", "all"])
def test_crossvit_branches_that_ask_one_after_the_other(keys: str) -> None:
    settings = [f"exchange.{word}.keys={keys}" for word in ("read", "write")]
    model = crossvit(*settings)
    after = crossvit(*settings, "exchange.order=[[process, memory], read, write]")
    after.load_state_dict(model.state_dict())
    for network, at_once in ((model, True), (after, False)):
        same(final(network), stages(network, at_once=at_once, keys=keys))
    assert model.plan.arch_id != after.plan.arch_id
    # An exchange changes class tokens alone: whoever reads only patches cannot tell when.
    if keys == "patches":
        same(final(model), final(after))
    else:
        assert differ(final(model), final(after))


def test_only_class_tokens_pass_between_branches() -> None:
    # Within one exchange patches stay as the blocks have left them.
    model = crossvit("depth=1")
    state: Streams = model.embeds(images_of(model))
    blocks = {n: model.get_submodule(f"layers.0.{n}")(state)[n] for n in ("process", "memory")}
    found = final(model)
    for name, tokens in blocks.items():
        assert torch.equal(found[name][:, 1:], tokens[:, 1:])
        assert not torch.allclose(found[name][:, 0], tokens[:, 0])
