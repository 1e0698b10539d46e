"""A trained network as one file that needs nothing beside it: a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor, nn

from archdsl.arguments import arguments
from archdsl.arguments.kinds import instance
from archdsl.compiler.baseline import build_baseline
from archdsl.compiler.build import build_plan
from archdsl.compiler.weights.reading import State, read_state, told_of
from archdsl.compiler.weights.resized import REVISION
from archdsl.document.messages import counted
from archdsl.document.text import read_mapping
from archdsl.errors import ArchdslError, ArgumentError, DocumentError, WeightsError
from archdsl.identity import canonical_json, digest
from archdsl.nn.network import Network
from archdsl.plan.baseline import Baseline
from archdsl.plan.plan import Plan
from archdsl.plan.read import check_model
from archdsl.spec.model import ModelSpec
from archdsl.storage.folder import Folder
from archdsl.training.data.pictures import BROKEN, decode, pixels_of, undecodable
from archdsl.training.data.reading import Reading

BUNDLE = "bundle.safetensors"
"""Its name in the folder of a training."""
FORMAT = 1
"""Of bundles; raised when a key changes its meaning."""

Picture = str | Path | Image.Image | npt.NDArray[np.uint8]
"""A file, an open picture, or (height, width[, channels]) uint8."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A trained network with all that it takes to use it.

    Args:
        network: in eval mode; a `Network`, or a model of timm's.
        spec: its document, or what is said of a model of timm's.
        reading: how pictures become what it is given, and the classes' names by label.
        training: how it was trained: recipe, seed, data and what the weights began with.
        scores: a record for each metric and part of the data it was scored on, with its protocol.
        certificate: where and when, and what else is known of it.
    """

    network: nn.Module
    spec: ModelSpec | Baseline
    reading: Reading
    training: Mapping[str, Any]
    scores: Sequence[Mapping[str, Any]]
    certificate: Mapping[str, Any]

    def __repr__(self) -> str:
        classes = counted(len(self.class_names), "class", "classes")
        return f"<Bundle of {self.spec.name!r}: {classes}>"

    @property
    def class_names(self) -> tuple[str, ...]:
        """By label."""
        return self.reading.class_names

    @property
    def weights(self) -> str:
        """Digest of its weights."""
        return weights_digest({n: each.cpu() for n, each in self.network.state_dict().items()})

    def record(self) -> dict[str, Any]:
        """All but the weights, as plain data."""
        network = self.network
        named = self.spec if isinstance(self.spec, Baseline) else cast(Plan, network.plan)
        return {
            "bundle": FORMAT,
            "arch_id": named.arch_id,
            **(told_of(named) if isinstance(named, Plan) else {}),
            "document": self.spec.document(),
            "reading": self.reading.record(),
            "training": dict(self.training),
            "scores": list(self.scores),
            "certificate": dict(self.certificate),
        }

    def write(self, folder: Path) -> None:
        """Write it into a folder, whole or not at all, under the name `bundle.safetensors`.

        Raises:
            WriteError: the folder refuses it, or the disk is full.
        """
        content = self.content()
        Folder(folder).write(BUNDLE, lambda stream: stream.write(content))

    def content(self) -> bytes:
        """What its file holds."""
        tensors = {
            name: tensor.detach().cpu().clone().contiguous()
            for name, tensor in self.network.state_dict().items()
        }
        told = canonical_json({**self.record(), "weights": weights_digest(tensors)})
        return save(tensors, {"archdsl": told})

    def predict(self, picture: Picture) -> dict[str, float]:
        """The probability of each class, the likeliest first: the softmax of the classifier that
        the document predicts with.

        Args:
            picture: a file, an image of Pillow's, or an array (height, width) or (height, width,
                channels) of unsigned bytes.

        Raises:
            ArgumentError: it is none of them.
            DataError: the file cannot be decoded.
        """
        [shares] = self.probabilities([self.pixels(picture)]).tolist()
        return self.ranked(shares)

    def ranked(self, shares: Sequence[float]) -> dict[str, float]:
        """The shares of the classes by name, the largest first."""
        found = dict(zip(self.class_names, shares, strict=True))
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    def probabilities(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
        """Of several pictures at once.

        Args:
            pictures: (channels, height, width) each, see `pixels`.

        Returns:
            (batch, classes) on the CPU.
        """
        device = next(self.network.parameters()).device
        images = self.reading.normalisation.apply(torch.from_numpy(np.stack(pictures)).to(device))
        with torch.inference_mode():
            logits: Tensor = self.network(images)
        return logits.float().softmax(dim=1).cpu()

    def pixels(self, picture: Picture) -> npt.NDArray[np.uint8]:
        """A picture at the network's size: (channels, height, width); see `predict`."""
        read = self.reading
        channels, size, depth, pct = read.channels, read.image_size, read.depth, read.crop_pct
        if isinstance(picture, str | Path):
            path = Path(picture).expanduser()
            return decode(path, channels=channels, image_size=size, depth=depth, crop_pct=pct)
        try:
            opened = _opened(picture)
            return pixels_of(opened, channels=channels, image_size=size, depth=depth, crop_pct=pct)
        except BROKEN as error:
            raise undecodable(Path("the picture"), error) from None


def _opened(picture: Any) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture
    if not isinstance(picture, np.ndarray):
        raise ArgumentError(
            f"{type(picture).__name__} is not a picture; give a file, an image of Pillow's, or an "
            "array (height, width, channels) of unsigned bytes"
        )
    array = picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    colours = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not colours or 0 in array.shape:
        raise ArgumentError(
            f"an array {picture.shape} of {picture.dtype} is not a picture; give (height, width) "
            "or (height, width, 1, 3 or 4) of unsigned bytes (uint8)"
        )
    return Image.fromarray(array)


@arguments(path=instance(str, Path, wanted="a bundle; give its file, or its training's folder"))
def load_bundle(path: str | Path) -> Bundle:
    """A trained network as `archdsl train` and `archdsl export --front` leave it; needs neither
    its training data nor anything else beside it.

    Args:
        path: the file, or the folder of a training.

    Raises:
        WeightsError: there is none, it is damaged, or its weights are not those it was written
            with.
    """
    given = Path(path).expanduser()
    file = given / BUNDLE if given.is_dir() else given
    if not file.is_file():
        unfinished = "; its training is not finished" if (given / "run.json").is_file() else ""
        raise WeightsError(f"there is no bundle {file}{unfinished}")
    state = read_state(file)
    told = state.told
    if "bundle" not in told:
        raise WeightsError(
            f"{file} is no bundle: it does not say what its classes are; `archdsl train` and "
            "`archdsl export --front` write bundles"
        )
    if told["bundle"] != FORMAT:
        raise WeightsError(f"{file} was written by a later version of archdsl; upgrade it")
    refuse_exchanged(state, file)
    network, spec = _network_of(told, state.tensors, file)
    return Bundle(
        network=network,
        spec=spec,
        reading=Reading.read(told["reading"]),
        training=told["training"],
        scores=told["scores"],
        certificate=told["certificate"],
    )


def _network_of(
    told: Mapping[str, Any], tensors: Mapping[str, Tensor], file: Path
) -> tuple[nn.Module, ModelSpec | Baseline]:
    """
    Raises:
        WeightsError: this version of archdsl, or of timm, makes no such network.
    """
    baseline = Baseline.read(told["document"])
    if baseline is not None:
        try:
            module = build_baseline(baseline, seed=0)
            module.load_state_dict(dict(tensors))
        except (ArchdslError, RuntimeError) as error:
            raise WeightsError(
                f"this version of timm does not make what is in {file}: {error}"
            ) from None
        return module.eval(), baseline
    try:
        model = check_model(read_mapping(told["document"], source=str(file)))
    except DocumentError as error:
        raise WeightsError(f"this version of archdsl does not read {file}:\n{error}") from None
    if model.plan.arch_id != told["arch_id"]:
        raise WeightsError(
            f"{file} is of the architecture {told['arch_id']}, which its document is not in this "
            "version of archdsl; use the version that wrote it"
        )
    return _network(model.plan, model.spec, tensors), model.spec


def read_start(place: Path) -> State:
    """Weights to begin with: those of a file, or of the bundle in a training's folder.

    Raises:
        WeightsError: they cannot be read, or are damaged.
    """
    file = place / BUNDLE if place.is_dir() else place
    state = read_state(file)
    refuse_exchanged(state, file)
    return state


def begun_with_of(start: State) -> str:
    """Names weights to begin with, and how they are made to fit."""
    return digest([weights_digest(start.tensors), REVISION])


def refuse_exchanged(state: State, file: Path) -> None:
    """
    Raises:
        WeightsError: the file says which weights it was written with, and holds others.
    """
    if state.told.get("weights", "") not in ("", weights_digest(state.tensors)):
        raise WeightsError(
            f"{file} is damaged, or its weights were exchanged: they are not those that it was "
            "written with; bring back a copy of it"
        )


def _network(plan: Plan, spec: ModelSpec, tensors: Mapping[str, Tensor]) -> Network:
    with torch.random.fork_rng():
        network = build_plan(plan)
    network.spec = spec
    network.load_state_dict(dict(tensors))
    return network.eval()


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """Hexadecimal SHA-256 of all tensors: names, types, shapes and values."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(canonical_json([name, str(tensor.dtype), list(tensor.shape)]).encode())
        found.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
