"""State dicts from files and mappings; nothing in a file is ever executed."""

from __future__ import annotations

import json
import pickle
import re
import warnings
import zipfile
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from archdsl.arguments.kinds import instance
from archdsl.compiler.weights.layouts import prefix_of
from archdsl.compiler.weights.positions import Grids, grids_of, is_grid
from archdsl.errors import WeightsError
from archdsl.free_memory import free_memory
from archdsl.nn.network import Network
from archdsl.plan.plan import Plan

StateDict = Mapping[str, Tensor]
"""Tensors by name."""

NETWORK = instance(
    Network,
    wanted="a compiled network; give what archdsl.compile made (of one that a DataParallel wraps, "
    "its `module`)",
)
"""What weights are loaded into."""
WEIGHTS = instance(
    str, Path, Mapping, wanted="weights; give a file, or a state dict such as model.state_dict()"
)

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_COUNTER = "n_averaged"
"""What torch's AveragedModel counts beside the weights it averages."""
_CODE = re.compile(r"GLOBAL|Unsupported (global|class)")
"""torch's words about a pickle that names a function or a class of its own."""


@dataclass(frozen=True, kw_only=True)
class State:
    """What some weights hold.

    Args:
        tensors: by name.
        prefix: what stood before every name, such as `module.`; empty where nothing did.
        grids: stream -> grid of its position table, where the file says it.
        arch_id: of the architecture they were written for, where the file says it.
        told: all that a file of ours says beside its tensors.
    """

    tensors: dict[str, Tensor]
    prefix: str = ""
    grids: Grids = field(default_factory=dict)
    arch_id: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)


def read_state(weights: str | Path | StateDict) -> State:
    """What a state dict holds, or a file: safetensors, or torch's format read without unpickling;
    bare, or inside a training checkpoint, of which the moving average is taken where it holds one.

    What stands before every name is taken off: `module.` of models that train on several devices,
    `_orig_mod.` of compiled ones, both.

    Raises:
        WeightsError: the file cannot be read, or there is no state dict.
    """
    if not isinstance(weights, str | Path):
        return _named(_state_dict(weights, "what was given"), {})
    loaded, told = _read(Path(weights))
    return _named(_state_dict(loaded, str(weights)), told)


def told_of(plan: Plan) -> dict[str, Any]:
    """What a file of a plan's weights says of its position tables, as part of its metadata."""
    return {"grids": {stream: list(grid) for stream, grid in grids_of(plan).items()}}


def _named(tensors: dict[str, Tensor], told: Mapping[str, Any]) -> State:
    tensors.pop(_COUNTER, None)
    prefix = prefix_of(tensors)
    found = told.get("grids")
    grids = found.items() if isinstance(found, dict) else ()
    return State(
        tensors={name.removeprefix(prefix): tensor for name, tensor in tensors.items()},
        prefix=prefix,
        grids={stream: (grid[0], grid[1]) for stream, grid in grids if is_grid(grid)},
        arch_id=str(told.get("arch_id", "")),
        told=told,
    )


def _read(path: Path) -> tuple[Any, Mapping[str, Any]]:
    """What torch makes of a file, and what a file of ours says beside its tensors."""
    try:
        with path.open("rb"):
            pass
        if path.suffix == ".safetensors":
            return load_file(path), _metadata(path)
        _refuse_beyond_memory(path)
        # Training scripts keep their arguments beside the weights, in a class without code.
        with torch.serialization.safe_globals([Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the version of a pickle
            return torch.load(path, map_location="cpu", weights_only=True), {}
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from None
    except (SafetensorError, EOFError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise WeightsError(f"{path} is damaged or no file of weights: {reason}") from None
    except WeightsError:
        raise
    except Exception as error:
        # Damaged pickles lead torch's reader astray in many ways: KeyError, IndexError, TypeError.
        if isinstance(error, pickle.UnpicklingError) and _CODE.search(str(error)):
            raise WeightsError(
                f"{path} holds more than tensors and is not read: its code could do anything. "
                "Save its state dict as safetensors"
            ) from None
        raise WeightsError(f"{path} is damaged or no file of weights") from None


def _metadata(path: Path) -> dict[str, Any]:
    """The one entry of ours in a file's metadata; nothing in a file of others."""
    with safe_open(path, "pt") as file:
        entries = file.metadata() or {}
    for name, text in entries.items():
        if name.partition(".")[0] == "archdsl":
            with suppress(ValueError):
                told = json.loads(text)
                return told if isinstance(told, dict) else {}
    return {}


def _refuse_beyond_memory(path: Path) -> None:
    """torch's format is a zip archive, which may unpack to any size."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        needed = sum(each.file_size for each in archive.infolist())
    free = free_memory()
    if needed > free:
        raise WeightsError(
            f"{path} unpacks to {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free"
        )


def _state_dict(loaded: Any, source: str) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise WeightsError(f"{source} holds no state dict (a mapping of names to tensors)")
    return dict(loaded)
