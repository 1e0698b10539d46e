"""What may be handed in to be measured, and what is known of it then."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import timm
from torch import nn

import archdsl
from archdsl.errors import DocumentError, MeasureError, NameNotFoundError
from archdsl.measuring.models import resolve, resolve_all

ARCH_ID = archdsl.compile(archdsl.load("vittm-digits")).plan.arch_id


def test_a_document_by_name_path_or_value_and_its_network_are_one_model(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((Path(__file__).parents[2] / "specs/vittm-digits.yaml").read_text())
    spec = archdsl.load("vittm-digits")
    for source in ("vittm-digits", path, str(path), spec, archdsl.compile(spec)):
        found = resolve(source)
        assert (found.kind, found.identity, found.label) == ("model", ARCH_ID, "vittm-digits")
        assert found.image_shape == (1, 8, 8)


def test_a_network_is_taken_as_it_is() -> None:
    network = archdsl.compile(archdsl.load("vittm-digits"))
    assert resolve(network).module is network


@pytest.mark.slow
def test_a_network_that_was_changed_is_no_longer_its_document() -> None:
    network = archdsl.compile(archdsl.load("vittm-digits"))
    changed = copy.deepcopy(network)
    changed.layers[0] = nn.Identity()
    found = resolve(changed)
    assert (found.kind, found.label, found.image_shape) == ("module", "Network", (1, 8, 8))
    assert found.identity != ARCH_ID
    network.reset_classifier(3)
    assert resolve(network).identity == network.plan.arch_id != ARCH_ID


def test_models_of_timm_by_name_are_built_without_weights() -> None:
    named = resolve("timm:test_vit")
    built = resolve(timm.create_model("test_vit"))
    tagged = resolve("timm:test_vit.r160_in1k")
    assert (named.kind, named.label, named.image_shape) == (
        "module",
        "timm:test_vit",
        (3, 160, 160),
    )
    assert built.label == "timm:test_vit"
    assert named.identity == built.identity == tagged.identity


def test_any_other_module_needs_the_shape_of_its_images() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(MeasureError, match=r"which images Sequential takes.*say image_shape"):
        resolve(module)
    found = resolve(module, image_shape=(3, 2, 2))
    assert (found.kind, found.label, found.image_shape) == ("module", "Sequential", (3, 2, 2))
    assert found.identity != resolve(module, image_shape=(12, 1, 1)).identity


def test_a_shape_comes_before_timms_and_is_refused_where_the_document_has_another() -> None:
    assert resolve("timm:test_resnet", image_shape=(3, 64, 64)).image_shape == (3, 64, 64)
    assert resolve("vittm-digits", image_shape=(1, 8, 8)).identity == ARCH_ID
    with pytest.raises(MeasureError, match=r"\(3, 8, 8\), but the document's images are \(1, 8, 8"):
        resolve("vittm-digits", image_shape=(3, 8, 8))


def test_all_names_that_lead_nowhere_are_told_at_once() -> None:
    with pytest.raises(NameNotFoundError) as caught:
        resolve_all(["timm:test_vitt", "vittm-digit", "timm:test_vit"])
    first, second = str(caught.value).splitlines()
    assert "has no model 'test_vitt'; did you mean timm:test_vit or" in first
    assert "did you mean 'vittm-digits'?" in second


@pytest.mark.parametrize("name", ["nothing-like-it", "hf-hub:someone/model", "", "/etc"])
def test_names_that_timm_does_not_know(name: str) -> None:
    with pytest.raises(NameNotFoundError, match=f"timm {timm.__version__} has no model '{name}'"):
        resolve(f"timm:{name}")


def test_a_tag_that_timm_does_not_know() -> None:
    with pytest.raises(NameNotFoundError, match=r"no weights 'in22k' of test_vit; there are: r160"):
        resolve("timm:test_vit.in22k")


def test_a_document_with_problems_tells_them(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("archdsl: 1\nname: broken\ndepht: 3\n")
    with pytest.raises(DocumentError, match="depth"):
        resolve(path)
