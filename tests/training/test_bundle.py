"""A bundle: one file that predicts pictures, whatever they are handed in as."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import archdsl
from archdsl.errors import ArgumentError, DataError, DeviceError, WeightsError
from archdsl.training.bundle import Bundle, load_bundle
from archdsl.training.data.dataset import Dataset
from archdsl.training.run_folder import RunError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a training on digits."""
    folder = tmp_path_factory.mktemp("run")
    spec = archdsl.load("vittm-digits").model_copy(update={"depth": 1})
    archdsl.train(spec, data="digits", folder=folder, epochs=4, threads=1)
    return folder


def test_what_is_refused_says_what_to_do_in_python(folder: Path) -> None:
    with pytest.raises(RunError, match=r"holds another training:[^$]*another folder with folder="):
        archdsl.train("vittm-digits", data="digits", folder=folder, epochs=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"cannot use cuda: .*; say device='cpu' or auto"):
        archdsl.train("vittm-digits", data="digits", folder=tmp_path, device="cuda")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load_bundle(folder)


def test_a_file_an_image_and_an_array_are_predicted_alike(
    bundle: Bundle, digits: Dataset, tmp_path: Path
) -> None:
    images, labels = digits.validation.images[:40], digits.validation.labels[:40].tolist()  # type: ignore[attr-defined]
    hits = 0
    for pixels, label in zip(images.numpy()[:, 0], labels, strict=True):
        found = bundle.predict(pixels)
        Image.fromarray(pixels).save(tmp_path / "one.png")
        assert found == bundle.predict(tmp_path / "one.png")
        assert found == bundle.predict(Image.open(tmp_path / "one.png"))
        assert found == bundle.predict(pixels[:, :, None])
        assert sum(found.values()) == pytest.approx(1, abs=1e-6)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        hits += next(iter(found)) == str(label)
    assert hits >= 28


def test_pictures_are_brought_to_the_network_s_size(bundle: Bundle) -> None:
    assert bundle.predict(np.full((40, 24, 3), 7, np.uint8)).keys() == set("0123456789")


@pytest.mark.parametrize(
    "wrong", [None, np.zeros((8, 8)), np.zeros((2, 8, 8, 3), np.uint8), np.zeros((8, 5), np.int64)]
)
def test_what_is_no_picture_is_refused(bundle: Bundle, wrong: object) -> None:
    with pytest.raises(ArgumentError, match="is not a picture; give"):
        bundle.predict(wrong)  # type: ignore[arg-type]


def test_a_broken_file_is_named(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "no.png").write_text("nothing")
    with pytest.raises(DataError, match=r"no\.png cannot be decoded"):
        bundle.predict(tmp_path / "no.png")


def test_a_bundle_is_one_file_and_says_all(folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    alone = shutil.copy(folder / "bundle.safetensors", tmp_path / "mine.safetensors")
    again = load_bundle(alone)
    assert again.record() == bundle.record()
    network = archdsl.compile(again.spec, seed=0)
    assert not archdsl.load_weights(network, alone).resampled


def test_other_weights_under_its_name_are_refused(folder: Path, tmp_path: Path) -> None:
    with safe_open(folder / "bundle.safetensors", "pt") as file:
        told = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    name = next(name for name in tensors if name.endswith("bias"))
    save_file({**tensors, name: tensors[name] + 1}, tmp_path / "other.safetensors", told)
    with pytest.raises(WeightsError, match="is damaged, or its weights were exchanged"):
        load_bundle(tmp_path / "other.safetensors")
    save_file(tensors, tmp_path / "plain.safetensors")
    with pytest.raises(WeightsError, match="is no bundle"):
        load_bundle(tmp_path / "plain.safetensors")
    with pytest.raises(WeightsError, match=r"there is no bundle .*nowhere"):
        load_bundle(tmp_path / "nowhere")
