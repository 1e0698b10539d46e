"""How the streams of compiled documents start and end, and weights that several layers share."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.compiler.build import build
from archdsl.document.merge import merge
from archdsl.document.tree import tree_of
from archdsl.errors import DocumentError
from archdsl.nn.layer import Borrowed, Exchange, TiedExchange
from archdsl.nn.network import Network
from archdsl.plan.cost import cost
from archdsl.plan.read import check_model
from archdsl.spec.base import words
from archdsl.spec.heads import Head

Document = dict[str, Any]

BASE: Document = {
    "archdsl": 1,
    "name": "small",
    "image": {"size": 16, "channels": 2},
    "depth": 3,
    "process": {
        "embed": {"type": "patch", "patch_size": 8},
        "dim": 12,
        "block": {"type": "transformer", "head_dim": 4, "mlp_ratio": 2},
    },
    "memory": {"embed": {"type": "patch", "patch_size": 4}},
    "exchange": {
        "norm": {"placement": "pre"},
        "read": {"type": "cross_attention"},
        "write": {"type": "cross_attention"},
    },
    "output": {"num_classes": 5},
}


def compiled(*patches: Document) -> Network:
    """The base with patches laid over it, all weights drawn at random, in double precision."""
    document = BASE
    for patch in patches:
        document = merge(document, patch)
    torch.manual_seed(0)
    model = build(check_model(tree_of(document, source="x")).spec).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def images_of(model: Network) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, *model.plan.image, dtype=torch.float64)


def same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def linear(model: Network, name: str, tokens: Tensor) -> Tensor:
    weight, bias = (model.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return tokens @ weight.T + bias


def layer_norm(model: Network, name: str, tokens: Tensor) -> Tensor:
    weight, bias = (model.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return functional.layer_norm(tokens, weight.shape, weight, bias, eps=1e-6)


def first_tokens(model: Network) -> dict[str, Tensor]:
    """Tokens of the streams before the first layer."""
    streams: dict[str, Tensor] = model.embeds(images_of(model))
    for name, plan in model.plan.streams.items():
        assert streams[name].shape == (2, plan.tokens, plan.dim)
    return streams


WITHOUT_EFFECT = (".k.bias", ".k_norm.bias", ".head.fc2.bias")
"""Under a softmax what all keys (all tokens of a token summary) have in common changes nothing."""


def runs(model: Network) -> None:
    """A forward and a backward pass: shapes, a gradient everywhere, parameters as planned."""
    features = model.forward_features(images_of(model))
    logits = model.forward_head(features)
    assert list(logits) == list(model.plan.output.classifiers)
    # Every stream's tokens count, so that words a classifier does not see learn too.
    answers = [*logits.values(), *features.values()]
    torch.autograd.backward(torch.stack([each.square().sum() for each in answers]).sum())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert name.endswith(WITHOUT_EFFECT) or parameter.grad.abs().max() > 0, name
        parameter.grad = None
    found = sum(each.numel() for each in model.parameters())
    assert found == cost(model.plan).params


# How streams start

LEARNED: Document = {"type": "learned", "num_tokens": 3}
STEM: Document = {"type": "conv_stem", "strides": [2, 2], "kernels": [3, 3]}
DOWNSAMPLE: Document = {"type": "downsample", "grid": 2}
COPY: Document = {"type": "copy"}
STARTS: list[tuple[Document, Document]] = [
    (LEARNED, {"type": "patch", "patch_size": 4}),
    ({"type": "patch", "patch_size": 4}, LEARNED),
    (STEM, {"type": "patch", "patch_size": 4}),
    ({"type": "patch", "patch_size": 4}, STEM),
    (DOWNSAMPLE, {"type": "patch", "patch_size": 4}),
    ({**DOWNSAMPLE, "method": "bilinear"}, STEM),
    ({"type": "patch", "patch_size": 4}, {**DOWNSAMPLE, "grid": [1, 2]}),
    (COPY, {"type": "patch", "patch_size": 4}),
    (STEM, COPY),
]


@pytest.mark.parametrize(("process", "memory"), STARTS)
@pytest.mark.parametrize("size", [16, [8, 16]])
@pytest.mark.parametrize("prefix", [(), ("cls",)])
def test_streams_start_in_every_way(
    process: Document, memory: Document, size: Any, prefix: tuple[str, ...]
) -> None:
    embeds: Document = {"process": {"embed": None}, "memory": {"embed": None}}
    model = compiled(
        embeds,
        {"image": {"size": size}, "process": {"embed": process}, "memory": {"embed": memory}},
        *(
            {name: {"prefix_tokens": list(prefix)}}
            for name, embed in (("process", process), ("memory", memory))
            if embed["type"] != "copy"
        ),
    )
    streams = first_tokens(model)
    if COPY in (process, memory):
        assert torch.equal(streams["process"], streams["memory"])
    for name, embed in (("process", process), ("memory", memory)):
        if embed["type"] == "learned":
            table = model.get_parameter(f"embeds.{name}.embed.table")
            assert torch.equal(streams[name][:, len(prefix) :], table.expand(2, -1, -1))
    runs(model)


def test_a_pooled_stream_of_a_rectangular_image() -> None:
    model = compiled(
        {
            "image": {"size": [16, 32]},
            "process": {"embed": {"type": "downsample", "grid": [2, 3], "patch_size": None}},
            "memory": {"prefix_tokens": ["cls"]},
        }
    )
    streams = first_tokens(model)
    patches = streams["memory"] - model.get_parameter("embeds.memory.position")
    grid = patches[:, 1:].reshape(2, 4, 8, 12).permute(0, 3, 1, 2)
    pooled = functional.adaptive_avg_pool2d(grid, (2, 3)).flatten(2).transpose(1, 2)
    same(streams["process"], pooled + model.get_parameter("embeds.process.position"))
    runs(model)


@pytest.mark.parametrize("method", ["average", "bilinear"])
def test_a_pooled_stream_of_another_width(method: str) -> None:
    process = {"embed": {**DOWNSAMPLE, "method": method, "patch_size": None}}
    model = compiled({"process": process, "memory": {"dim": 8}, "exchange": UNEQUAL})
    streams = first_tokens(model)
    patches = streams["memory"] - model.get_parameter("embeds.memory.position")
    # Halving the grid: bilinear takes the mean of the same four patches.
    pooled = patches.reshape(2, 2, 2, 2, 2, 8).mean(dim=(2, 4)).flatten(1, 2)
    expected = linear(model, "embeds.process.embed.proj", pooled)
    same(streams["process"], expected + model.get_parameter("embeds.process.position"))
    runs(model)


@pytest.mark.parametrize("name", ["process", "memory"])
@pytest.mark.parametrize("resize", [24, [8, 32]])
def test_one_stream_sees_the_image_at_another_size(name: str, resize: Any) -> None:
    model = compiled({name: {"resize": resize}})
    sides = (24, 24) if resize == 24 else (8, 32)
    images = images_of(model)
    resized = functional.interpolate(images, sides, mode="bicubic", align_corners=False)
    patch = {"process": 8, "memory": 4}[name]
    kernel = model.get_parameter(f"embeds.{name}.embed.proj.weight").reshape(12, 2, patch, patch)
    bias = model.get_parameter(f"embeds.{name}.embed.proj.bias")
    patches = functional.conv2d(resized, kernel, bias, stride=patch).flatten(2).transpose(1, 2)
    expected = patches + model.get_parameter(f"embeds.{name}.position")
    found = first_tokens(model)
    same(found[name], expected)
    # The other stream sees it is.
    other = {"process": "memory", "memory": "process"}[name]
    assert found[other].shape[1] == {"process": 4, "memory": 16}[other]
    runs(model)


# How they end


def test_a_distillation_token_has_a_classifier_of_its_own() -> None:
    model = compiled(
        {"memory": None, "exchange": None},
        {"process": {"prefix_tokens": ["cls", "distillation"]}, "output": {"pool": "cls"}},
    )
    assert model.plan.streams["process"].tokens == 6
    images = images_of(model)
    tokens = model.embeds(images)["process"]
    for layer in model.layers:
        tokens = layer({"process": tokens})["process"]
    tokens = layer_norm(model, "classifiers.process.norm", tokens)
    expected = {
        name: linear(model, f"classifiers.{name}.linear", tokens[:, number])
        for number, name in enumerate(["process", "distillation"])
    }
    found = model.forward_heads(images)
    assert list(found) == ["process", "distillation"]
    for name, logits in expected.items():
        same(found[name], logits)
    same(model(images), (expected["process"] + expected["distillation"]) / 2)
    runs(model)


def test_a_distillation_token_of_one_of_two_streams() -> None:
    model = compiled(
        {
            "memory": {"prefix_tokens": ["cls", "distillation"]},
            "output": {"pool": {"memory": "cls"}, "predict": "distillation"},
        }
    )
    images = images_of(model)
    logits = model.forward_heads(images)
    assert list(logits) == ["memory", "distillation", "process"]
    assert torch.equal(model(images), logits["distillation"])
    runs(model)


@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_one_classifier_for_streams_of_two_widths(pool: str) -> None:
    model = compiled(
        {"process": {"prefix_tokens": ["cls"]}, "memory": {"prefix_tokens": ["cls"], "dim": 8}},
        {"exchange": UNEQUAL, "output": {"combine": "concat", "pool": pool}},
    )
    images = images_of(model)
    features = model.forward_features(images)
    both = [features[name] for name in ("memory", "process")]
    pooled = [each[:, 0] if pool == "cls" else each[:, 1:].mean(dim=1) for each in both]
    token = layer_norm(model, "classifiers.concat.pooled_norm", torch.cat(pooled, dim=-1))
    same(model(images), linear(model, "classifiers.concat.linear", token))
    runs(model)


# Streams of two widths

UNEQUAL: Document = {
    "norm": {"shared": False},
    "read": {"num_heads": 2},
    "write": {"num_heads": 2},
}
OPTIONS: dict[str, Document] = {
    "token_summary": {},
    "mlp": {"mlp_ratio": 2},
    "cross_attention, carried": {"num_heads": 2, "width": "source", "with_query": True},
    "linear_attention, used": {"num_heads": 2, "out_proj": "used", "normalise": False},
}
CASES = [*words(Head), *(name for name in OPTIONS if "," in name)]


@pytest.mark.parametrize("case", CASES)
def test_every_head_joins_streams_of_two_widths(case: str) -> None:
    name = case.partition(",")[0]
    head = {"type": name, **OPTIONS.get(case, {"num_heads": 2})}
    read = head if name != "tied_attention" else {"type": "cross_attention", "num_heads": 2}
    write = head if name != "tied_attention" else {"type": name, "norm": True, "out_proj": True}
    model = compiled(
        {"exchange": {"read": None, "write": None}},
        {
            "memory": {"dim": 8, "embed": {"patch_size": 8}},
            "exchange": {"norm": {"shared": False}, "read": read, "write": write},
        },
    )
    runs(model)


# Weights that layers share

SHARED: Document = {"weights": "shared"}


def shared_names(model: Network) -> set[str]:
    return {name for name, _ in model.shared.named_children()}


def owned(module: nn.Module) -> nn.Module:
    assert isinstance(module, Borrowed)
    return module.owned


def exchange_of(model: Network, layer: int, word: str) -> Exchange:
    found = model.get_submodule(f"layers.{layer}.{word}")
    assert isinstance(found, Exchange)
    return found


EVERYTHING_SHARED: Document = {
    "process": {"block": SHARED},
    "exchange": {"norm": SHARED, "read": SHARED, "write": SHARED},
}
"""Blocks, heads and norms."""
ROLES = {
    "process_block": ("process.blocks.0",),
    "read_head": ("read.head",),
    "write_head": ("write.head",),
    "both_norm": ("read.norms.both", "write.norms.both"),
}
"""Shared module -> what it stands for in a layer."""


def test_shared_weights_are_stored_and_counted_once_and_learn_from_every_layer() -> None:
    model, own = compiled(EVERYTHING_SHARED), compiled()
    assert shared_names(model) == set(ROLES)
    assert not [name for name in model.state_dict() if name.startswith("layers.")]
    assert not own.shared
    sizes = {name: sum(each.numel() for each in model.shared[name].parameters()) for name in ROLES}
    counted = cost(own.plan).params - cost(model.plan).params
    assert counted == sum((3 * len(places) - 1) * sizes[name] for name, places in ROLES.items())
    runs(model)
    # Give every layer the shared weights: one network, whose gradients add up.
    state: dict[str, Tensor] = {}
    copies: dict[str, list[str]] = {}
    for name, tensor in model.state_dict().items():
        role, _, part = name.removeprefix("shared.").partition(".")
        places = [f"layers.{n}.{place}.{part}" for n in range(3) for place in ROLES.get(role, ())]
        copies[name] = places or [name]
        state |= dict.fromkeys(copies[name], tensor)
    own.load_state_dict(state)
    images = images_of(model)
    for network in (model, own):
        logits = network.forward_heads(images)
        torch.autograd.backward(torch.cat(list(logits.values())).square().sum())
    same(model(images), own(images))
    learnt = 0
    for name, parameter in model.named_parameters():
        parts = [own.get_parameter(place).grad for place in copies[name]]
        grads = [each for each in parts if each is not None]
        assert len(grads) == len(parts)
        learnt += len(grads) > 1 and all(each.abs().max() > 0 for each in grads)
        torch.testing.assert_close(parameter.grad, torch.stack(grads).sum(0), rtol=1e-9, atol=1e-9)
    assert learnt > 10


def test_norms_are_shared_by_stream_where_each_has_its_own() -> None:
    norm = {"placement": "replace", "shared": False, "weights": "shared"}
    model = compiled({"exchange": {"norm": norm}})
    assert shared_names(model) == {"process_norm", "memory_norm"}
    norms = [
        exchange_of(model, layer, word).norms[name]
        for name in ("process", "memory")
        for layer in range(3)
        for word in ("read", "write")
    ]
    assert len({id(owned(each)) for each in norms}) == 2
    runs(model)


def test_one_norm_for_both_streams_and_all_words_is_one() -> None:
    # The tied write normalises the process stream alone, and does so with the norm of both.
    model = tied({"exchange": {"norm": {"shared": True, "weights": "shared"}}})
    assert shared_names(model) == {"both_norm"}
    runs(model)


def test_two_shared_parts_of_one_word_are_two_modules() -> None:
    model = compiled(
        {"exchange": {"read": SHARED}, "process": {"block": SHARED}, "depth": 4},
        {
            "layers": [
                {"at": [1, 3], "exchange": {"read": {"num_heads": 6}}},
                {"at": [2], "process": {"block": {"mlp_ratio": 1}}},
            ]
        },
    )
    assert shared_names(model) == {"read_head", "read_head_2", "process_block", "process_block_2"}
    heads = [owned(exchange_of(model, layer, "read").head) for layer in range(4)]
    assert heads[0] is heads[2]
    assert heads[1] is heads[3]
    assert heads[0] is not heads[1]
    blocks = [owned(model.get_submodule(f"layers.{n}.process.blocks.0")) for n in range(4)]
    assert blocks[0] is blocks[1] is blocks[3]
    assert blocks[2] is not blocks[0]
    runs(model)


def test_a_layer_may_have_weights_of_its_own_beside_shared_ones() -> None:
    model = compiled(
        {"exchange": {"read": SHARED}},
        {"layers": [{"at": [1], "exchange": {"read": {"weights": "per_layer"}}}]},
    )
    assert shared_names(model) == {"read_head"}
    own = {name.rpartition(".head.")[0] for name in model.state_dict() if ".read.head." in name}
    assert own == {"layers.1.read"}
    runs(model)


def test_repeated_blocks_may_be_one() -> None:
    model = compiled({"process": {"block": SHARED, "blocks": 3}})
    assert shared_names(model) == {"process_block"}
    found = [
        model.get_submodule(f"layers.{n}.process.blocks.{m}") for n in range(3) for m in (0, 1, 2)
    ]
    assert len({id(owned(each)) for each in found}) == 1
    runs(model)


def test_factors_of_channels_start_as_written() -> None:
    block = {"layer_scale": 0.25}
    document = merge(BASE, {"process": {"block": block}})
    fresh = build(check_model(tree_of(document, source="x")).spec)
    factors = [each for name, each in fresh.named_parameters() if name.endswith(".gamma")]
    assert len(factors) == 2 * 3
    assert all((each == 0.25).all() for each in factors)
    runs(compiled({"process": {"block": block}}))


# Writes along the read's map

TIED: Document = {
    "exchange": {"write": None},
    "memory": {"prefix_tokens": ["cls"]},
}


def tied(*patches: Document, **options: Any) -> Network:
    return compiled(TIED, {"exchange": {"write": {"type": "tied_attention", **options}}}, *patches)


@pytest.mark.parametrize(
    "options", [{}, {"values": "tied"}, {"renormalise": True}, {"norm": True, "out_proj": True}]
)
@pytest.mark.parametrize("weights", ["per_layer", "shared"])
def test_tied_writes_learn(options: Document, weights: str) -> None:
    model = tied({"exchange": {"read": {"weights": weights}}}, **options, weights=weights)
    runs(model)
    values = {id(exchange_of(model, n, "write").head) for n in range(3)}
    assert len(values) == 3  # what is borrowed is one, who borrows are three


def test_tied_values_follow_the_read_of_their_layer() -> None:
    model = tied(
        {
            "exchange": {"read": {"weights": "shared"}},
            "layers": [{"at": [1], "exchange": {"read": {"num_heads": 2}}}],
        },
        values="tied",
    )
    assert shared_names(model) == {"read_head", "read_head_2"}
    for layer, name in enumerate(["read_head", "read_head_2", "read_head"]):
        write = exchange_of(model, layer, "write")
        assert isinstance(write, TiedExchange)
        assert owned(write.values) is model.get_submodule(f"shared.{name}.v")
    runs(model)


def test_a_shared_tied_write_of_two_reads_is_two_modules() -> None:
    model = tied(
        {"layers": [{"at": [1], "exchange": {"read": {"norms": ["q"]}}}]}, weights="shared"
    )
    assert shared_names(model) == {"write_head", "write_head_2"}
    runs(model)


def test_the_last_layers_write_may_be_left_out() -> None:
    whole = tied()
    model = tied({"layers": [{"at": [-1], "exchange": {"write": None}}]})
    assert [name for name, _ in model.layers[-1].named_children()] == ["read", "process"]
    assert type(exchange_of(model, 2, "read")) is Exchange  # nobody takes its map
    state = whole.state_dict()
    model.load_state_dict({name: state[name] for name in model.state_dict()})
    images = images_of(model)
    found, expected = model.forward_features(images), whole.forward_features(images)
    same(found["process"], expected["process"])
    assert not torch.allclose(found["memory"], expected["memory"])
    runs(model)


def test_a_tied_write_needs_the_read_of_its_own_layer() -> None:
    with pytest.raises(DocumentError) as caught:
        tied({"layers": [{"at": {"every": 2}, "exchange": {"read": None}}]})
    [problem] = caught.value.problems
    assert problem.path == "layers[0].exchange.write.type"
    assert problem.message == "takes the map of a cross_attention read; the layer has no read"
    model = tied({"layers": [{"at": {"every": 2}, "exchange": {"read": None, "write": None}}]})
    assert [name for name, _ in model.layers[1].named_children()] == ["process"]
    runs(model)


# Models with shared parts, handed around


def lookup() -> Network:
    return tied(
        {
            "process": {"embed": {"type": "downsample", "grid": 2, "patch_size": None}},
            "memory": {"block": {"type": "mlp", "mlp_ratio": 1, "norm": False, **SHARED}},
            "exchange": {"norm": {"shared": False, **SHARED}, "read": SHARED},
        },
        values="tied",
        norm=True,
        **SHARED,
    )


@pytest.mark.parametrize("way", ["copied", "pickled", "state"])
def test_what_is_shared_stays_shared(way: str) -> None:
    model = lookup()
    images = images_of(model)
    expected = model(images).detach()
    buffer = io.BytesIO()
    if way == "copied":
        twin = copy.deepcopy(model)
    elif way == "pickled":
        torch.save(model, buffer)
        buffer.seek(0)
        twin = torch.load(buffer, weights_only=False)
    else:
        torch.save(model.state_dict(), buffer)
        buffer.seek(0)
        twin = lookup()
        for parameter in twin.parameters():
            nn.init.zeros_(parameter)
        twin.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(twin(images), expected)
    # Every borrower of the twin has the twin's own module.
    for name, module in twin.named_modules():
        if isinstance(module, Borrowed):
            assert any(module.owned is each for each in twin.modules()), name
            assert not any(module.owned is each for each in model.modules()), name
    for name in ("read_head.v", "write_head.v_norm", "process_norm", "memory_block.fc2"):
        with torch.no_grad():
            twin.get_parameter(f"shared.{name}.bias").add_(torch.randn(12))
        assert not torch.allclose(twin(images), expected)
        twin.load_state_dict(model.state_dict())
    assert torch.equal(model(images), expected)


def test_shared_parts_change_type_and_mode_with_the_model() -> None:
    model = lookup()
    images = images_of(model)
    expected = model(images)
    single = copy.deepcopy(model).to(torch.float32)
    assert all(each.dtype == torch.float32 for each in single.state_dict().values())
    torch.testing.assert_close(single(images.float()).double(), expected, rtol=0, atol=1e-4)
    model.train()
    assert all(each.training for each in model.shared.modules())
    model.eval()
    assert not any(each.training for each in model.shared.modules())
    assert torch.equal(model(images), expected)
    model.requires_grad_(False)
    assert not model(images).requires_grad
