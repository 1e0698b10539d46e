"""A compiled model from outside: what training code and timm's habits expect of it."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

import archdsl
from archdsl.nn.network import Network
from archdsl.plan.cost import costs
from archdsl.plan.read import read_model


def digits(*settings: str) -> Network:
    """The model of the digits with classifiers that are not zero."""
    torch.manual_seed(0)
    model = archdsl.compile(read_model("vittm-digits", settings).spec)
    for name, parameter in model.named_parameters():
        if name.startswith("classifiers."):
            nn.init.normal_(parameter)
    return model.eval()


IMAGES = torch.linspace(-1, 1, 3 * 64).reshape(3, 1, 8, 8)


@pytest.mark.parametrize("predict", ["memory", "process", "mean"])
def test_the_model_gives_the_predicted_logits(predict: str) -> None:
    model = digits(f"output.predict={predict}")
    by_stream = model.forward_heads(IMAGES)
    assert list(by_stream) == ["memory", "process"]
    assert not torch.allclose(by_stream["memory"], by_stream["process"])
    mean = (by_stream["memory"] + by_stream["process"]) / 2
    expected = {**by_stream, "mean": mean}[predict]
    torch.testing.assert_close(model(IMAGES), expected)


def test_features_then_heads_is_the_whole() -> None:
    model = digits()
    features = model.forward_features(IMAGES)
    shapes = {name: tuple(tokens.shape) for name, tokens in features.items()}
    assert shapes == {"process": (3, 4, 64), "memory": (3, 16, 64)}
    heads = model.forward_head(features)
    assert all(torch.equal(heads[name], each) for name, each in model.forward_heads(IMAGES).items())


def test_parts_have_the_paths_of_the_plan_and_do_all_the_work() -> None:
    model = digits()
    parts = model.parts()
    found = costs(model.plan)
    in_layers = [part for layer in found.layers for part in layer]
    assert list(parts) == [part.path for part in (*found.embeds, *in_layers, *found.classifiers)]
    seen: set[str] = set()
    for path, modules in parts.items():
        for module in modules:
            module.register_forward_hook(lambda *_, path=path: seen.add(path))
    model.forward_heads(IMAGES)
    assert seen == set(parts)
    owned = {id(each) for modules in parts.values() for part in modules for each in part.modules()}
    rest = [name for name, each in model.named_modules() if id(each) not in owned and name]
    containers = {"embeds", "shared", "layers", "classifiers", "unused"}
    assert all(name.split(".")[0] in containers and name.count(".") < 2 for name in rest), rest


def test_classifiers_can_be_replaced() -> None:
    model = digits().double()
    identity = model.plan.arch_id
    model.reset_classifier(3)
    assert (model.num_classes, model.plan.output.num_classes) == (3, 3)
    assert model.plan.arch_id != identity
    logits = model(IMAGES.double())
    assert (logits.shape, logits.dtype) == ((3, 3), torch.float64)
    assert (logits == 0).all()
    assert list(model.get_classifier()) == ["memory", "process"]


def test_without_classes_the_pooled_features_are_left() -> None:
    model = digits()
    model.reset_classifier(0)
    assert model.num_classes == 0
    assert {name: tuple(f.shape) for name, f in model.forward_heads(IMAGES).items()} == {
        "memory": (3, 64),
        "process": (3, 64),
    }
    model.reset_classifier(2)
    assert model(IMAGES).shape == (3, 2)


def test_positions_and_prefix_tokens_are_not_decayed() -> None:
    model = digits("process.prefix_tokens=[cls]")
    assert model.no_weight_decay() == {
        "embeds.process.position",
        "embeds.process.prefix",
        "embeds.memory.position",
    }


def test_parts_are_named_as_in_the_document() -> None:
    model = digits("memory.block={type: mlp, mlp_ratio: 1}")
    assert [name for name, _ in model.get_submodule("layers.0").named_children()] == [
        "read",
        "process",
        "write",
        "memory",
    ]
    assert model.plan == read_model("vittm-digits", ["memory.block={type: mlp, mlp_ratio: 1}"]).plan


def test_models_can_be_copied_and_pickled() -> None:
    model = digits()
    expected = model(IMAGES)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(IMAGES), expected)
        assert twin.plan.arch_id == model.plan.arch_id


def test_unused_tensors_change_no_output_and_are_not_trained() -> None:
    plain, published = digits(), digits("published_layout=true")
    extra = published.state_dict().keys() - plain.state_dict().keys()
    assert extra
    assert all(name.startswith("unused.") for name in extra)
    published.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(plain(IMAGES), published(IMAGES))
    trained = {name for name, each in published.named_parameters() if each.requires_grad}
    assert trained == plain.state_dict().keys()


def test_an_image_does_not_see_its_neighbours_in_the_batch() -> None:
    model = digits().double()
    images = IMAGES.double()
    torch.testing.assert_close(model(images)[1:2], model(images[1:2]), rtol=0, atol=1e-12)
