"""What a training begins with: weights of other depths and widths are cut or repeated."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from timm.layers.pos_embed import resample_abs_pos_embed

from archdsl.compiler.baseline import build_baseline
from archdsl.compiler.build import build
from archdsl.compiler.weights.reading import State
from archdsl.compiler.weights.start import Start, start_from, start_revision
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.baseline import Baseline
from archdsl.plan.read import read_model

CLASSES = tuple("0123456789")
Make = Callable[..., Network]


@pytest.fixture
def network() -> Make:
    """`vittm-digits` with settings; nothing in it is zero."""

    def made(*sets: str, seed: int = 0) -> Network:
        found = build(read_model("vittm-digits", sets).spec, seed=seed).eval()
        with torch.no_grad():
            for name, weight in found.named_parameters():
                if weight.dim() == 1 or name.startswith("classifiers."):
                    weight.add_(torch.rand(weight.shape) - 0.5)
        return found

    return made


def begun(model: Network, weights: Network) -> Start:
    return start_from(model, state_of(weights), classes=CLASSES)


def state_of(network: Network) -> State:
    told = {"reading": {"class_names": list(CLASSES)}}
    return State(tensors=network.state_dict(), arch_id=network.plan.arch_id, told=told)


IMAGES = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "exchange",
    [
        [],
        ["exchange.read.type=cross_attention", "exchange.read.latent_ratio=~"],
        ["memory.block={type: mlp, mlp_ratio: 1}"],
        ["exchange.read.fusion=add_erase", "exchange.write.fusion=erase"],
        ["exchange.read={type: token_summary, latent_ratio: ~}"],
    ],
    ids=["linear", "cross", "memory blocks", "gates", "token summary"],
)
@pytest.mark.parametrize("times", [2, 3])
def test_a_network_wider_by_a_whole_number_computes_the_same(
    network: Make, times: int, exchange: list[str]
) -> None:
    narrow = network(*exchange)
    wide = network(*exchange, f"process.dim={64 * times}", seed=1)
    start = begun(wide, narrow)
    assert start.taken.fresh == ()
    assert start.left_out == ()
    with torch.no_grad():
        found, wanted = wide.forward_heads(IMAGES), narrow.forward_heads(IMAGES)
    for stream, logits in wanted.items():
        assert torch.allclose(found[stream], logits, atol=1e-4)


def test_a_narrower_network_takes_the_first_of_each_width(network: Make) -> None:
    wide, narrow = network(), network("process.dim=32", seed=1)
    start = begun(narrow, wide)
    assert start.taken.fresh == ()
    own, theirs = narrow.state_dict(), wide.state_dict()
    name = "layers.1.process.blocks.0.attn.qkv.weight"
    heads = theirs[name].unflatten(0, (3, 64))[:, :32, :32]
    assert torch.equal(own[name], heads.flatten(0, 1))
    name = "embeds.memory.position"
    assert torch.equal(own[name], theirs[name][..., :32])
    assert f"{name} (1, 16, 64) to (1, 16, 32)" in start.resized


@pytest.mark.parametrize(
    ("have", "want", "from_"),
    [(4, 2, [0, 2]), (2, 4, [0, 0, 1, 1]), (3, 4, [0, 0, 1, 2]), (1, 3, [0, 0, 0])],
)
def test_layers_are_spread_evenly(network: Make, have: int, want: int, from_: list[int]) -> None:
    theirs, ours = network(f"depth={have}"), network(f"depth={want}", seed=1)
    start = begun(ours, theirs)
    assert start.taken.fresh == ()
    spread = ", ".join(map(str, from_))
    assert f"{want} layers begin as layers {spread} of their {have}" in str(start)
    for number, other in enumerate(from_):
        own, their = ours.layers[number].state_dict(), theirs.layers[other].state_dict()
        assert all(torch.equal(own[name], tensor) for name, tensor in their.items())


def test_pixels_and_places_are_neither_cut_nor_repeated(network: Make) -> None:
    words = ["exchange.read={type: token_summary, latent_ratio: ~, fusion: add_erase}"]
    theirs = network(*words, "process.embed.patch_size=2", "memory.embed.patch_size=1")
    ours = network(*words, "process.dim=128", seed=1)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    start = begun(ours, theirs)
    name = "embeds.memory.embed.proj.weight"
    assert name in start.taken.fresh
    assert torch.equal(ours.state_dict()[name], before[name])
    assert "embeds.memory.position" in start.taken.resampled
    assert "layers.0.read.head.fc1.weight" in start.taken.fresh
    assert "layers.0.read.head.norm.weight" in start.taken.loaded


def test_what_is_made_to_fit_is_another_start(network: Make) -> None:
    weights = state_of(network())
    assert start_revision(network(seed=1), weights) == 0
    assert start_revision(network("depth=2"), weights) == 1
    assert start_revision(network("process.dim=32"), weights) == 1
    assert start_revision(network("memory.embed.patch_size=4"), weights) == 0


def test_a_position_table_of_timm_is_brought_to_the_grid() -> None:
    wide, square = (
        Baseline(model="test_vit", image=(3, *size), num_classes=2) for size in ((32, 48), (48, 48))
    )
    theirs, ours = build_baseline(wide, seed=0), build_baseline(square, seed=1)
    told = {"document": wide.document(), "reading": {"class_names": ["a", "b"]}}
    state = State(tensors=theirs.state_dict(), told=told)
    start = start_from(ours, state, classes=("a", "b"))
    assert (start.taken.resampled, start.taken.fresh, start.left_out) == (("pos_embed",), (), ())
    expected = resample_abs_pos_embed(theirs.pos_embed, new_size=[3, 3], old_size=[2, 3])
    assert torch.equal(ours.state_dict()["pos_embed"], expected)
    assert (start_revision(ours, state), start_revision(theirs, state)) == (1, 0)
    unsaid = State(tensors=theirs.state_dict())
    assert start_from(ours, unsaid, classes=("a", "b")).left_out[0].startswith("pos_embed")


def test_nothing_fits(network: Make) -> None:
    other = State(tensors={"layers.0.something.weight": torch.ones(2, 2)})
    with pytest.raises(WeightsError, match="nothing of these weights fits"):
        start_from(network(), other, classes=CLASSES)
