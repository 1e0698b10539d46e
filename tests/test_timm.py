"""The models of the shelf under timm's names, as timm's own functions ask for them and use them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config
from timm.data.model_config import resolve_input_data_config
from timm.models import get_pretrained_cfg
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3

import archdsl
import archdsl.timm
from archdsl.compiler.build import build_without_weights
from archdsl.document.shelves import names
from archdsl.errors import ArchdslError, ArgumentError, DocumentError, WeightsError
from archdsl.nn.network import Network
from archdsl.plan.read import read_model
from archdsl.training.bundle import Bundle
from archdsl.training.data.dataset import Normalisation
from archdsl.training.data.reading import Reading

IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def made(name: str = "vittm_digits", **words: Any) -> Network:
    torch.manual_seed(0)
    model = timm.create_model(name, **words)
    assert isinstance(model, Network)
    return model.eval()


def with_answers(model: Network) -> Network:
    """Classifiers drawn at random: those of fresh networks are zero."""
    with torch.no_grad():
        for parameter in model.classifiers.parameters():
            parameter.normal_(std=0.1)
    return model


def test_the_shelf_is_listed_and_imported() -> None:
    known = [name.replace("-", "_") for name in names("specs")]
    assert timm.list_models(module="timm") == sorted(known, key=timm.models._registry._natural_key)
    assert timm.list_models("vittm_b*") == ["vittm_b_28_28", "vittm_b_32_16"]
    assert not timm.list_models("vittm*", pretrained=True)
    assert {"bundle_cfg", *known} == set(archdsl.timm.__all__) <= set(vars(archdsl.timm))


@pytest.mark.parametrize("name", names("specs"))
def test_what_timm_is_told_of_a_model_is_so(name: str) -> None:
    cfg = get_pretrained_cfg(name.replace("-", "_"))
    plan = read_model(name).plan
    model = build_without_weights(plan)
    assert (cfg.input_size, cfg.num_classes) == (plan.image, plan.output.num_classes)
    assert len(cfg.mean) == len(cfg.std) == model.in_chans == plan.image[0]
    for each in cfg.classifier:
        assert model.get_submodule(each).out_features == cfg.num_classes  # type: ignore[union-attr]
    for each in cfg.first_conv or ():
        assert model.get_submodule(each).in_channels == model.in_chans
    assert bool(cfg.first_conv) == any(s.embed.type == "conv_stem" for s in plan.streams.values())
    model.eval().reset_classifier(0)
    features = model(torch.zeros(1, *plan.image, device="meta"))
    assert features.shape == (1, model.num_features) == (1, model.head_hidden_size)


def test_a_model_is_that_of_its_document() -> None:
    model = made()
    assert model.spec == archdsl.load("vittm-digits")
    assert torch.equal(model(IMAGES), archdsl.compile("vittm-digits", seed=0).eval()(IMAGES))
    assert archdsl.load(model) == model.spec  # timm's notes change nothing of it


def test_classes_channels_and_size_are_settings_of_the_document() -> None:
    model = made("vittm_ti_32_16", num_classes=7, in_chans=1, img_size=(64, 96))
    sets = ["output.num_classes=7", "image.channels=1", "image.size=[64, 96]"]
    assert model.spec == read_model("vittm-ti-32-16", sets).spec
    assert model.pretrained_cfg["num_classes"] == 1000
    assert resolve_input_data_config(model)["input_size"] == (1, 64, 96)
    assert made(num_classes=0)(IMAGES).shape == (3, 64)


def test_timm_reads_pictures_for_it() -> None:
    config = resolve_data_config({}, model=made("vittm_cifar"))
    assert config["input_size"] == (3, 32, 32)
    assert (config["interpolation"], config["crop_pct"]) == ("bicubic", 1.0)
    picture = torch.zeros(3, 50, 40, dtype=torch.uint8).numpy().transpose(1, 2, 0)

    assert create_transform(**config)(Image.fromarray(picture)).shape == (3, 32, 32)


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ({"drop_rate": 0.1, "patch_size": 4}, ArgumentError, "no drop_rate=0.1, patch_size=4; it"),
        ({"out_indices": (1,)}, ArgumentError, r"no out_indices=\(1,\)"),
        ({"drop_path_rate": 1.5}, ArgumentError, "drop_path_rate is 1.5"),
        ({"num_classes": -3}, DocumentError, "output.num_classes  -3 is below 1"),
        ({"img_size": 9}, DocumentError, "4 does not divide the image's height 9"),
        ({"features_only": True, "stream": "both"}, ArgumentError, "stream 'both' is not one of"),
        ({"features_only": True, "out_indices": [4]}, ValueError, "there are 4 layers"),
        ({"pretrained": True}, RuntimeError, "No pretrained weights exist for vittm_digits"),
    ],
)
def test_what_it_cannot_be_told_is_refused(
    words: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        made(drop_rate=0.0, **words) if "drop_rate" not in words else made(**words)


@pytest.mark.parametrize("stream", ["process", None])
def test_features_are_maps_of_one_stream(stream: str | None) -> None:
    torch.manual_seed(0)
    words = {"stream": stream} if stream else {}
    found = timm.create_model("vittm_digits", features_only=True, out_indices=[0, -2], **words)
    _, maps = made().forward_intermediates(IMAGES, [0, 2])
    expected = maps[stream or "memory"]
    for one, other in zip(found.eval()(IMAGES), expected, strict=True):
        assert torch.equal(one, other)
    assert found.feature_info.channels() == [64, 64]
    assert found.feature_info.reduction() == [8 / each.shape[-1] for each in expected]
    assert len(found.model.layers) == 3  # what lies behind is not run


def test_all_layers_give_features_unless_told() -> None:
    maps = timm.create_model("vittm_cifar", features_only=True).eval()(torch.zeros(1, 3, 32, 32))
    assert [tuple(each.shape) for each in maps] == [(1, 256, 8, 8)] * 2


def test_branches_are_dropped_in_training_alone() -> None:
    model, plain = with_answers(made(drop_path_rate=0.9)), with_answers(made())
    rates = [getattr(word.blocks[0].drop_path2, "drop_prob", 0) for word in words_of(model)]
    assert rates == pytest.approx([0, 0.3, 0.6, 0.9])
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model(IMAGES), plain(IMAGES))
    assert not torch.equal(model.train()(IMAGES), plain.train()(IMAGES))
    with pytest.raises(ArchdslError, match=r"no transformer block of a stream; leave it out$"):
        made("rev_vit_b", img_size=16, drop_path_rate=0.1)


def words_of(model: Network) -> list[Any]:
    return [layer["process"] for layer in model.layers]  # type: ignore[index]


def test_timm_trains_it() -> None:
    model = made(drop_path_rate=0.1).train()
    optimizer = create_optimizer_v2(model, opt="adamw", lr=0.1, layer_decay=0.5)
    scales = {
        id(parameter): group["lr_scale"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert scales[id(model.get_parameter("classifiers.memory.linear.weight"))] == 1
    assert scales[id(model.get_parameter("layers.0.process.blocks.0.norm1.weight"))] == 0.5**4
    assert scales[id(model.get_parameter("embeds.memory.position"))] == 0.5**5
    average = ModelEmaV3(model, decay=0.5)
    torch.nn.functional.cross_entropy(model(IMAGES), torch.tensor([1, 2, 3])).backward()
    optimizer.step()
    average.update(model)
    name = "classifiers.memory.linear.weight"
    assert torch.equal(average.module.get_parameter(name), model.get_parameter(name) / 2)


def test_pooled_features_come_without_the_linear_map() -> None:
    model = with_answers(made())
    pooled = model.forward_head(model.forward_features(IMAGES), pre_logits=True)
    assert torch.equal(model.classifiers["memory"].linear(pooled["memory"]), model(IMAGES))
    model.reset_classifier(0)
    assert torch.equal(model(IMAGES), pooled["memory"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a bundle of four classes, and the same weights as torch's file."""
    folder = tmp_path_factory.mktemp("trained")
    model = with_answers(made(num_classes=4))
    assert model.spec
    Bundle(
        network=model,
        spec=model.spec,
        reading=Reading(
            class_names=("a", "b", "c", "d"),
            channels=1,
            image_size=(8, 8),
            depth=8,
            normalisation=Normalisation(mean=(51.0,), std=(25.5,)),
            crop_pct=0.9,
        ),
        training={},
        scores=[],
        certificate={},
    ).write(folder)
    torch.save({"state_dict": model.state_dict()}, folder / "weights.pt")
    return folder


def test_a_file_of_weights_is_a_checkpoint(folder: Path) -> None:
    trained = archdsl.load_bundle(folder).network
    for file in ("bundle.safetensors", "weights.pt"):
        model = made(num_classes=4, checkpoint_path=folder / file)
        assert torch.equal(model(IMAGES), trained(IMAGES))
    with pytest.raises(RuntimeError, match=r"size mismatch for classifiers\.memory\.linear"):
        made(checkpoint_path=folder / "weights.pt")


def test_a_bundle_is_pretrained_and_says_how_pictures_are_read(folder: Path) -> None:
    trained, cfg = archdsl.load_bundle(folder).network, archdsl.timm.bundle_cfg(folder)
    model = made(pretrained=True, pretrained_cfg=cfg)
    assert torch.equal(model(IMAGES), trained(IMAGES))
    config = resolve_data_config({}, model=model)
    assert (config["mean"], config["std"], config["crop_pct"]) == ((0.2,), (0.1,), 0.9)
    assert model.pretrained_cfg["label_names"] == ("a", "b", "c", "d")


def test_pretrained_weights_fit_other_classes_and_sizes_or_are_refused(folder: Path) -> None:
    words = {"pretrained": True, "pretrained_cfg": archdsl.timm.bundle_cfg(folder)}
    model = made(num_classes=3, img_size=16, **words)
    trained = archdsl.load_bundle(folder).network
    for name in ("layers.0.read.head.q.weight", "classifiers.process.norm.weight"):
        assert torch.equal(model.get_parameter(name), trained.get_parameter(name))
    assert model.get_parameter("embeds.memory.position").shape == (1, 64, 64)
    assert (model.get_parameter("classifiers.memory.linear.weight") == 0).all()
    features = timm.create_model("vittm_digits", features_only=True, **words).eval()
    assert torch.equal(features(IMAGES)[-1], trained.forward_intermediates(IMAGES)[1]["memory"][-1])
    with pytest.raises(WeightsError, match=r"not of this architecture:\n  missing: layers"):
        made("vittm_ti_28_28", img_size=56, **words)


def test_a_name_of_timm_s_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(**words: Any) -> None:
        raise NotImplementedError

    entries = timm.models._registry._model_entrypoints
    monkeypatch.setitem(entries, "vittm_digits", taken)
    with pytest.raises(ArchdslError, match="timm has models of these names already: vittm_digits"):
        importlib.reload(archdsl.timm)
    assert entries["vittm_digits"] is taken
