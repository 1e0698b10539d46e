"""Layers that are run backwards in training: the gradients of the plain computation, and no memory
for each layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call

import archdsl
from archdsl.nn.network import Network
from archdsl.nn.reversible import is_reversible
from archdsl.plan.read import read_model

SMALL = [
    "image.size=32",
    "process.embed.patch_size=8",
    "process.dim=48",
    "exchange.read.head_dim=12",
]
STREAMS = ("process", "memory")


def network(*settings: str, depth: int = 6, dtype: torch.dtype = torch.float32) -> Network:
    torch.manual_seed(0)
    spec = read_model("rev-vit-b", [*SMALL, f"depth={depth}", *settings]).spec
    model = archdsl.compile(spec).to(dtype).train()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def images_for(model: Network) -> Tensor:
    torch.manual_seed(1)
    dtype = next(model.parameters()).dtype
    return torch.randn(4, *model.plan.image, dtype=dtype, requires_grad=True)


def plain(model: Network, images: Tensor) -> Tensor:
    """`model(images)`, every layer called in the open."""
    final, _ = model.forward_intermediates(images, 1)
    return model.forward_head(final)[model.plan.output.predict]


def gradients(model: Network, images: Tensor, logits: Tensor) -> dict[str, Tensor]:
    asked = {name: each for name, each in model.named_parameters() if each.requires_grad}
    asked["images"] = images
    found = torch.autograd.grad(logits.square().sum(), list(asked.values()), allow_unused=True)
    return {name: each for name, each in zip(asked, found, strict=True) if each is not None}


def assert_gradients_are_plain(model: Network, *, within: float) -> None:
    images = images_for(model)
    logits, expected_logits = model(images), plain(model, images)
    assert torch.equal(logits, expected_logits)
    found = gradients(model, images, logits)
    expected = gradients(model, images, expected_logits)
    assert set(found) == set(expected)
    for name, gradient in expected.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=within * scale, msg=name)


def kept_bytes(model: Network) -> int:
    """Of tensors that a forward pass keeps for the backward pass, beside weights."""
    own = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(images_for(model))
    assert logits.requires_grad
    return sum(each.untyped_storage().nbytes() for at, each in kept.items() if at not in own)


@pytest.mark.parametrize(
    ("dtype", "within"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str
)
@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("exchange.read.weights=shared", "exchange.norm.weights=shared"),
        ("exchange.norm.placement=none", "output.streams=[memory]", "output.combine=null"),
        ("exchange.order=[write, read]", "exchange.write.mlp_ratio=2"),
        ("exchange.read=null",),
        ("layers=[{at: [1, 4], exchange: {write: {fusion: {type: add_erase}}}}]",),
    ],
    ids=["plain words", "shared", "one classifier", "written first", "writes alone", "in parts"],
)
def test_gradients_are_those_of_the_plain_computation(
    settings: tuple[str, ...], dtype: torch.dtype, within: float
) -> None:
    model = network(*settings, dtype=dtype)
    assert any(map(is_reversible, model.layers))
    assert_gradients_are_plain(model, within=within)


def test_frozen_weights_get_no_gradient_and_the_others_theirs() -> None:
    model = network(dtype=torch.float64)
    model.layers[2].requires_grad_(False)
    model.embeds.requires_grad_(False)
    assert_gradients_are_plain(model, within=1e-10)


def test_what_is_kept_does_not_grow_with_depth() -> None:
    assert kept_bytes(network(depth=2)) == kept_bytes(network(depth=12))
    assert kept_bytes(network(depth=12)) < kept_bytes(network(depth=12).eval()) / 10


def test_layers_between_others_keep_nothing_each() -> None:
    between = "layers=[{at: [0], exchange: {write: {fusion: {type: add_erase}}}}]"
    assert kept_bytes(network(between, depth=3)) == kept_bytes(network(between, depth=9))


@pytest.mark.parametrize(
    ("settings", "reversible"),
    [
        ((), True),
        (("exchange.norm.placement=none",), True),
        (("exchange.norm.placement=replace",), False),
        (("exchange.read.fusion=erase",), False),
        (("exchange.write.fusion=add_erase",), False),
        (("exchange.order=[[read, write]]",), False),
        (("process.block={type: mlp, mlp_ratio: 2}",), False),
        (("exchange.read={type: linear_attention, latent_ratio: 0.5, num_heads: 2}",), False),
        (("exchange.read={type: cross_attention, num_heads: 2}",), False),
        (
            (
                "exchange.read={type: cross_attention, num_heads: 2}",
                "exchange.write={type: tied_attention}",
            ),
            False,
        ),
        (("exchange.write={type: token_summary}",), False),
    ],
    ids=str,
)
def test_layers_are_reversible_by_their_words(settings: tuple[str, ...], reversible: bool) -> None:
    base = [*SMALL, "depth=2", *settings]
    if any(each.startswith("exchange.read={") for each in settings):
        base.remove("exchange.read.head_dim=12")
    model = archdsl.compile(read_model("rev-vit-b", base).spec)
    assert [is_reversible(layer) for layer in model.layers] == [reversible] * 2


def test_modules_put_in_from_outside_are_evaluated_once() -> None:
    # What a second evaluation gives may differ, and modules may count their calls.
    model = network()
    model.replace("layers.1.read.head.proj", nn.Sequential(nn.Linear(48, 48), nn.Dropout(0.5)))
    assert [is_reversible(layer) for layer in model.layers] == [True, False, *[True] * 4]
    images = images_for(model)
    torch.manual_seed(2)
    logits = model(images)
    torch.manual_seed(2)
    expected = gradients(model, images, plain(model, images))
    for name, gradient in gradients(model, images, logits).items():
        scale = float(expected[name].abs().max())
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-5 * scale)


def test_hooks_of_modules_see_each_call_once_and_with_its_gradient() -> None:
    model, seen = network(depth=3), []
    model.layers[1].read.head.register_forward_hook(lambda *each: seen.append(each[-1]))
    logits = model(images_for(model))
    [read] = seen
    assert torch.autograd.grad(logits.sum(), read)[0].abs().sum() > 0
    assert len(seen) == 1


def test_hooks_of_weights_see_the_whole_gradient_once() -> None:
    model, seen = network("exchange.read.weights=shared"), []
    weight = model.shared.read_head.proj.weight
    weight.register_hook(seen.append)
    model(images_for(model)).sum().backward()
    assert [torch.equal(each, weight.grad) for each in seen] == [True]


def test_gradients_are_of_the_weights_that_were_called_with() -> None:
    model = network(dtype=torch.float64)
    others = {
        name: nn.Parameter(each.detach() + 0.01 * torch.randn_like(each))
        for name, each in model.named_parameters()
    }
    images = images_for(model)
    logits = functional_call(model, others, images)
    found = torch.autograd.grad(logits.square().sum(), list(others.values()))
    model.load_state_dict(others)
    expected = gradients(model, images, plain(model, images))
    for name, gradient in zip(others, found, strict=True):
        torch.testing.assert_close(gradient, expected[name], rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_transforms_of_torch_see_the_plain_computation() -> None:
    model = network(depth=2)
    weights = {name: each.detach() for name, each in model.named_parameters()}
    images = images_for(model).detach()

    def loss(given: dict[str, Tensor], image: Tensor) -> Tensor:
        return functional_call(model, given, image[None]).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, images)
    expected = gradients(model, images, plain(model, images.requires_grad_()))
    assert_close = torch.testing.assert_close
    name = "layers.0.read.head.proj.weight"
    assert_close(found[name].sum(dim=0), expected[name], rtol=1e-3, atol=1e-3)


def test_short_numbers_keep_everything() -> None:
    # x + f - f is not x there.
    model = network(dtype=torch.bfloat16)
    deeper = network(depth=12, dtype=torch.bfloat16)
    assert kept_bytes(deeper) > 1.5 * kept_bytes(model)


def test_under_autocast_gradients_are_those_of_the_plain_computation() -> None:
    model = network(depth=4)
    images = images_for(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, expected_logits = model(images), plain(model, images)
    assert torch.equal(logits, expected_logits)
    expected = gradients(model, images, expected_logits)
    for name, gradient in gradients(model, images, logits).items():
        scale = float(expected[name].float().abs().max())
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=0.02 * scale)
