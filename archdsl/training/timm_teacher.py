"""A model of timm's with trained weights of this machine; nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset
from timm.models import PretrainedCfg
from torch import nn

from archdsl.compiler.baseline import check_timm_name
from archdsl.compiler.weights.mismatch import differences
from archdsl.compiler.weights.reading import State, StateDict, read_state
from archdsl.document.messages import listed
from archdsl.errors import WeightsError
from archdsl.identity import digest
from archdsl.plan.baseline import TIMM
from archdsl.training.bundle import weights_digest
from archdsl.training.data.dataset import IMAGE_LEVELS, Normalisation
from archdsl.training.data.reading import Reading
from archdsl.training.recipe import TimmTeacher
from archdsl.training.scoring import MOST_NAMED

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedTimmModel:
    """What is known of one, as a bundle says it of itself.

    Args:
        network: in eval mode.
        reading: how it was shown pictures, and its classes.
        weights: digest of it all.
    """

    network: nn.Module
    reading: Reading
    weights: str


def trained_timm_model(teacher: TimmTeacher) -> TrainedTimmModel:
    """
    Raises:
        NameNotFoundError: timm has no such model, or no such weights of it.
        WeightsError: the weights are not on this machine, or are others; or nobody says what their
            classes are.
    """
    name = teacher.model.removeprefix(TIMM)
    model = check_timm_name(name)
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None:
        raise WeightsError(f"timm knows no weights of {teacher.model}, and nothing of its pictures")
    classes = _class_names(teacher, cfg)
    state = _state(teacher, cfg)
    channels, height, width = cfg.input_size
    reading = Reading(
        class_names=classes,
        channels=channels,
        image_size=(height, width),
        depth=8,
        normalisation=Normalisation(mean=_levels(cfg.mean), std=_levels(cfg.std)),
    )
    return TrainedTimmModel(
        network=_loaded(teacher, name, state.tensors, classes=len(classes)),
        reading=reading,
        weights=digest([model, reading.record(), weights_digest(state.tensors)]),
    )


def _levels(shares: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(share * (IMAGE_LEVELS - 1) for share in shares)


def _class_names(teacher: TimmTeacher, cfg: PretrainedCfg) -> tuple[str, ...]:
    """By label: as a file says them, or those of the published weights.

    Raises:
        WeightsError: nobody says them.
    """
    if teacher.classes is not None:
        return _lines(Path(teacher.classes).expanduser())
    if teacher.init is not None and "." not in teacher.model:
        raise WeightsError(
            f"{teacher.init} does not say what its classes are: name the published weights that it "
            f"holds (model: {teacher.model}.{cfg.tag or 'TAG'}), or the file of its classes, one a "
            "line (classes: FILE)"
        )
    if cfg.label_names:
        return tuple(cfg.label_names)
    subset = infer_imagenet_subset({"num_classes": cfg.num_classes})
    if subset is None:
        raise WeightsError(
            f"timm does not say what the {cfg.num_classes} classes of {teacher.model} are; name "
            f"the file that does, one a line ({{model: {teacher.model}, classes: FILE}})"
        )
    info: Any = ImageNetInfo(subset)  # has no types
    return tuple(info.label_names())


def _lines(file: Path) -> tuple[str, ...]:
    """
    Raises:
        WeightsError: it cannot be read, or a name stands there twice.
    """
    try:
        names = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise WeightsError(f"cannot read the classes {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WeightsError(f"cannot read the classes {file}: no text in UTF-8") from None
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise WeightsError(f"the classes {file} say twice: {listed(twice, most=MOST_NAMED)}")
    return tuple(names)


def _state(teacher: TimmTeacher, cfg: PretrainedCfg) -> State:
    """What the file of the weights holds.

    Raises:
        WeightsError: there is none, or it is a bundle.
    """
    file = Path(teacher.init).expanduser() if teacher.init else next(_cached(cfg), None)
    if file is None:
        name = teacher.model
        raise WeightsError(
            f"{name} has no weights in the local cache ({cfg.hf_hub_id or cfg.url}), and nothing "
            f"is downloaded: name their file ({{model: {name}, init: FILE}}), or train it first "
            f"(archdsl train {name.partition('.')[0]} … -o DIR) and name that folder"
        )
    state = read_state(file)
    if "bundle" in state.told:
        raise WeightsError(f"{file} is a bundle, which says all of itself; write teacher: {file}")
    return state


def _cached(cfg: PretrainedCfg) -> Iterator[Path]:
    """Where published weights lie that timm downloaded before."""
    if cfg.hf_hub_id:
        for name in [cfg.hf_hub_filename] if cfg.hf_hub_filename else _HUB_FILES:
            found = try_to_load_from_cache(cfg.hf_hub_id, name)
            if isinstance(found, str):
                yield Path(found)
    if isinstance(cfg.url, str) and cfg.url:
        place = Path(torch.hub.get_dir(), "checkpoints", cfg.url.rpartition("/")[2])
        if place.is_file():
            yield place


def _loaded(teacher: TimmTeacher, name: str, tensors: StateDict, *, classes: int) -> nn.Module:
    """The model with these weights, as timm fits them, but for another number of pixels or classes.

    Raises:
        WeightsError: they are of another model, or another size.
    """
    whose = f"{teacher.init or 'what the local cache holds'} does not fit {teacher.model}"
    with torch.random.fork_rng(), torch.device("cpu"):
        own = {
            each: tuple(tensor.shape)
            for each, tensor in timm.create_model(name, num_classes=classes).state_dict().items()
            if each in tensors
        }
        if wrong := differences({each: tensors[each] for each in own}, own):
            raise WeightsError(f"{whose} with {classes} classes: {wrong[0].strip()}")
        told = {"state_dict": dict(tensors), "num_classes": classes}
        try:
            model = timm.create_model(
                name, pretrained=True, pretrained_cfg_overlay=told, num_classes=classes
            )
        except Exception as error:  # what fits tensors of others fails in whatever way it likes
            why = str(error) if isinstance(error, RuntimeError) else "it holds other tensors"
            raise WeightsError(f"{whose}: {why}") from None
    found: nn.Module = model.eval()
    return found
